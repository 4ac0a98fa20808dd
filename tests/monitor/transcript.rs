//! A recorded conversation of version 1, which every later monitor must be able to hold.

use crate::runtime::sandbox::{Sandbox, program};
use serde_json::Value;
use shanty::runtime::control::MONITOR_ARGV0;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

const TRANSCRIPT: &str = include_str!("transcript.jsonl");

#[test]
fn a_recorded_conversation_is_still_understood() {
    let sandbox = Sandbox::new();
    let launch = sandbox.logging(program(&["sleep", "60"]));
    fs::create_dir_all(&launch.run_dir).unwrap();
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_read_timeout(Some(crate::runtime::sandbox::LIMIT)).unwrap();
    let mut monitor = Command::new(env!("CARGO_BIN_EXE_shanty"))
        .arg0(MONITOR_ARGV0)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let transcript = TRANSCRIPT
        .replace("{ID}", launch.id.as_str())
        .replace("{ID8}", &launch.root_id8)
        .replace("{ROOT}", launch.root.to_str().unwrap())
        .replace("{DIR}", launch.container_dir.to_str().unwrap())
        .replace("{RUN}", launch.run_dir.to_str().unwrap());
    let mut answers = BufReader::new(ours.try_clone().unwrap());
    for line in transcript.lines() {
        let step: Value = serde_json::from_str(line).unwrap();
        if let Some(message) = step.get("to") {
            writeln!(&ours, "{message}").unwrap();
        } else {
            let mut answer = String::new();
            answers.read_line(&mut answer).unwrap();
            let answer: Value = serde_json::from_str(&answer).unwrap();
            assert!(holds(&step["from"], &answer), "expected {}, got {answer}", step["from"]);
        }
    }
    assert!(monitor.wait().unwrap().success());
}

/// Whether an answer has all that was recorded; more may have been added, and `*` is anything.
fn holds(recorded: &Value, answer: &Value) -> bool {
    match (recorded, answer) {
        (Value::String(any), answer) if any == "*" => !answer.is_null(),
        (Value::Object(recorded), Value::Object(answer)) => {
            recorded.iter().all(|(key, value)| answer.get(key).is_some_and(|answer| holds(value, answer)))
        }
        _ => recorded == answer,
    }
}
