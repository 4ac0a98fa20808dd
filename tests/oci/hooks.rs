//! Hooks: their order, what they get, where they are executed, and what their failure does.

use super::bundle::Bundle;
use crate::support::require;
use serde_json::{Value, json};
use std::fs;

const KINDS: [&str; 6] = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];

/// A hook that appends its kind, the state that it gets, and its mount namespace to a file.
fn recorder(kind: &str, file: &str, end: &str) -> Value {
    let script = format!("echo {kind} $(readlink /proc/self/ns/mnt) $(cat) >>{file}; {end}");
    json!([{ "path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/usr/bin:/bin"] }])
}

/// All six; `failing` one of them exits with 1.
fn hooks(bundle: &Bundle, failing: Option<&str>) -> Value {
    let record = bundle.rootfs().join("record");
    fs::write(&record, "").unwrap();
    let hook = |kind: &str| {
        // The one inside has the container's files.
        let file = if kind == "startContainer" { "/record" } else { record.to_str().unwrap() };
        (kind.to_owned(), recorder(kind, file, if failing == Some(kind) { "echo why >&2; exit 1" } else { "" }))
    };
    Value::Object(KINDS.map(hook).into_iter().collect())
}

/// Kind, namespace and state of each hook that was executed.
fn record(bundle: &Bundle) -> Vec<(String, String, Value)> {
    let text = fs::read_to_string(bundle.rootfs().join("record")).unwrap();
    text.lines()
        .map(|line| {
            let mut words = line.splitn(3, ' ');
            let (kind, namespace) = (words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
            (kind, namespace, serde_json::from_str(words.next().unwrap()).unwrap())
        })
        .collect()
}

fn kinds(bundle: &Bundle) -> Vec<String> {
    record(bundle).into_iter().map(|(kind, ..)| kind).collect()
}

#[test]
fn hooks_are_executed_in_order_with_the_state() {
    let bundle = require!(Bundle::new(&["sleep", "1000"]));
    bundle.change(|spec| spec["hooks"] = hooks(&bundle, None));
    bundle.create("c1", &[]);
    assert_eq!(kinds(&bundle), KINDS[..3]);
    let pid = bundle.state("c1")["pid"].clone();
    bundle.ok(&["start", "c1"]);
    assert_eq!(kinds(&bundle), KINDS[..5]);
    let inside = fs::read_link(format!("/proc/{pid}/ns/mnt")).unwrap().display().to_string();
    bundle.ok(&["delete", "--force", "c1"]);
    let own = fs::read_link("/proc/self/ns/mnt").unwrap().display().to_string();
    let seen = record(&bundle);
    let expected = [
        ("prestart", &own, "creating", &pid),
        ("createRuntime", &own, "creating", &pid),
        ("createContainer", &inside, "creating", &json!(1)),
        ("startContainer", &inside, "created", &json!(1)),
        ("poststart", &own, "running", &pid),
        ("poststop", &own, "stopped", &json!(0)),
    ];
    for ((kind, namespace, state), expected) in seen.iter().zip(expected) {
        let found = (kind.as_str(), namespace, state["status"].as_str().unwrap(), &state["pid"]);
        assert_eq!(found, expected);
        assert_eq!((&state["id"], &state["ociVersion"]), (&json!("c1"), &json!("1.2.0")), "{kind}");
        assert_eq!(state["bundle"], json!(bundle.path()), "{kind}");
    }
    assert_eq!(seen.len(), 6);
}

#[test]
fn a_failing_hook_ends_the_container() {
    let bundle = require!(Bundle::new(&["sleep", "1000"]));
    for (kind, executed) in [
        ("prestart", &["prestart", "poststop"][..]),
        ("createRuntime", &["prestart", "createRuntime", "poststop"]),
        ("createContainer", &["prestart", "createRuntime", "createContainer", "poststop"]),
        ("startContainer", &["prestart", "createRuntime", "createContainer", "startContainer", "poststop"]),
        ("poststart", &["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"]),
    ] {
        bundle.change(|spec| spec["hooks"] = hooks(&bundle, Some(kind)));
        let words = format!("the {kind} hook `/bin/sh` failed: exit status: 1: why");
        if KINDS[..3].contains(&kind) {
            bundle.fails(&["create", "c1"], &words);
            bundle.fails(&["state", "c1"], "does not exist");
        } else {
            bundle.create("c1", &[]);
            bundle.fails(&["start", "c1"], &words);
            bundle.wait_for_status("c1", "stopped");
            bundle.ok(&["delete", "c1"]);
        }
        assert_eq!(kinds(&bundle), executed, "{kind}");
    }
    // The last one's failure is told, and changes nothing.
    bundle.change(|spec| spec["hooks"] = hooks(&bundle, Some("poststop")));
    bundle.create("c1", &[]);
    let output = bundle.oci(&["delete", "c1"]);
    assert!(output.code == 0 && output.stderr.contains("poststop"), "{output:?}");
}

#[test]
fn a_hook_that_takes_too_long_fails() {
    let bundle = require!(Bundle::new(&["true"]));
    bundle.change(|spec| {
        let hook = json!([{ "path": "/bin/sleep", "args": ["sleep", "1000"], "timeout": 1 }]);
        spec["hooks"] = json!({ "createRuntime": hook });
    });
    bundle.fails(&["create", "c1"], "longer than 1 s");
}
