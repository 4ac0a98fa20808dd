//! What those who are attached see of a program that writes a lot, and what it costs the program.

use crate::support::busybox::with_busybox;
use crate::support::require;
use crate::support::shanty::Shanty;
use crate::support::wait::wait_until;
use serde_json::json;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

/// Attaches through pipes.
fn attached(shanty: &Shanty) -> Child {
    let mut command: Command = shanty.eval(r#"exit(container("many").attach() ?? 99)"#).into_command();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn start(shanty: &Shanty, line: &str, options: &str) {
    let code = format!(
        r#"image("busybox:1").run(["sh", "-c", "{line}"], #{{ name: "many", network: "none", stdin: true {options} }})"#
    );
    shanty.eval(&code).ok();
}

fn numbers(text: &str) -> bool {
    text.lines().enumerate().all(|(index, line)| line.trim() == (index + 1).to_string())
}

#[test]
fn who_is_attached_sees_all_of_a_program_that_writes_fast_and_ends() {
    let shanty = require!(with_busybox());
    for options in ["", ", tty: true"] {
        start(&shanty, "read x; [ -t 0 ] && stty -echo; read x; seq 60000; exit 3", options);
        let mut viewer = attached(&shanty);
        let mut input = viewer.stdin.take().unwrap();
        input.write_all(b"go\n").unwrap();
        if !options.is_empty() {
            // The terminal echoes what is typed until it is told not to.
            let mut echo = [0; 4];
            viewer.stdout.as_mut().unwrap().read_exact(&mut echo).unwrap();
        }
        input.write_all(b"on\n").unwrap();
        let output = viewer.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let text = text.strip_prefix("on\r\n").unwrap_or(&text);
        assert!(numbers(text), "{options}: {:?} … {:?}", text.get(..40), text.get(text.len().saturating_sub(40)..));
        let last = text.lines().last().map(str::trim);
        assert_eq!(
            (output.status.code(), last),
            (Some(3), Some("60000")),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        shanty.eval(r#"container("many").remove()"#).ok();
    }
}

#[test]
fn the_program_waits_for_who_is_slow_and_not_for_who_does_not_read() {
    let shanty = require!(with_busybox());
    start(&shanty, "read x; seq 400000; touch /done; read x", "");
    let mut slow = attached(&shanty);
    let mut input = slow.stdin.take().unwrap();
    input.write_all(b"go\n").unwrap();
    let mut output = BufReader::new(slow.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "1\n");
    // More than two megabytes do not fit anywhere: it is still writing.
    let done = r#"container("many").exec("test -e /done", #{ check: false }).code"#;
    assert_eq!(shanty.json(done), json!(1));
    let mut text = line;
    while !text.ends_with("\n400000\n") {
        assert!(output.read_line(&mut text).unwrap() > 0, "{:?}", text.get(text.len().saturating_sub(40)..));
    }
    assert!(numbers(&text));
    wait_until(LIMIT, || shanty.json(done) == json!(0));
    slow.kill().unwrap();
    slow.wait().unwrap();
    shanty.eval(r#"container("many").remove(#{ force: true })"#).ok();

    start(&shanty, "read x; seq 400000; touch /done; read x", "");
    let mut stalled = attached(&shanty);
    stalled.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
    // Ten seconds without reading are enough.
    wait_until(LIMIT, || shanty.json(done) == json!(0));
    let output = stalled.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(99) && told.contains("detached"), "{told}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(numbers(text[..100_000].rsplit_once('\n').unwrap().0));
}
