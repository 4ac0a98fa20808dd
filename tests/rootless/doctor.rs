//! `shanty doctor` as an ordinary user, also where no namespace can be entered.

use super::Person;
use crate::support::require;
use serde_json::Value;

#[test]
fn doctor_looks_at_the_machine_without_entering_a_namespace() {
    let person = require!(Person::new());
    let run = |words: &[&str]| person.machine.run(|| person.command().args(words).output().unwrap());
    let output = run(&["doctor", "--json"]);
    let found: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let has_problem = found.iter().any(|finding| finding["level"] == "problem");
    assert_eq!(output.status.code(), Some(i32::from(has_problem)), "{found:?}");
    let of = |check: &str| found.iter().find(|finding| finding["check"] == check).unwrap();
    // A user whom nobody knows has no ranges, and no name to give some to.
    assert!(of("ids")["level"] == "note" && of("ids")["command"].is_null(), "{found:?}");
    assert_eq!(of("user namespaces")["level"], "ok");
    assert_eq!(of("control groups")["level"], "note");
    let text = String::from_utf8(run(&["doctor"]).stdout).unwrap();
    assert!(found.iter().all(|finding| text.contains(finding["text"].as_str().unwrap())), "{text}");
    person.wait_for_nobody();
    // Where the folder of the namespace is somebody else's, no other command gets so far.
    let base = person.base();
    let _ = std::fs::remove_dir_all(&base);
    std::fs::create_dir(&base).unwrap();
    assert_eq!(run(&["ps"]).status.code(), Some(1));
    assert_eq!(run(&["doctor"]).status.code(), output.status.code());
}
