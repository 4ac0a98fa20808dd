//! What killed processes left of volumes goes with the next command; killed at each sync and rename.

use crate::support::busybox::with_busybox;
use crate::support::deadly::{self, Moment};
use crate::support::wait::wait_until;
use crate::support::{Shanty, require};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(30);

fn folders(shanty: &Shanty) -> BTreeSet<String> {
    let entries = std::fs::read_dir(shanty.root().join("volumes")).unwrap().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn folders_without_a_row_and_half_filled_volumes_are_swept() {
    let shanty = require!(with_busybox());
    shanty
        .eval(
            r#"create_volume("data"); create_volume("half"); create_volume("used");
                   image("busybox:1").create("true", #{ name: "user", volumes: ["used:/d"], network: "none" })"#,
        )
        .ok();
    let volumes = shanty.root().join("volumes");
    for name in [".new-1-1-abc/_data", "orphan/_data"] {
        std::fs::create_dir_all(volumes.join(name)).unwrap();
    }
    for name in ["half", "used"] {
        std::fs::write(volumes.join(name).join("_data/part"), "").unwrap();
        std::fs::write(volumes.join(name).join("filling"), "").unwrap();
    }
    let expected: BTreeSet<String> = ["data", "half", "used"].map(str::to_owned).into();
    wait_until(LIMIT, || {
        shanty.eval("volumes()").ok();
        folders(&shanty) == expected && !volumes.join("half/filling").exists() && !volumes.join("used/filling").exists()
    });
    assert!(!volumes.join("half/_data/part").exists(), "it is to be filled anew");
    assert!(volumes.join("used/_data/part").exists(), "a container may have written it");
}

/// Runs `code` and kills it at each of its syncs and renames in turn, each time after `undo`; afterwards `volumes/` has no
/// folder but those with a row, and after `again` it can be done on what was left.
fn kill_everywhere(shanty: &Shanty, code: &str, undo: &str, again: &str) {
    let command = || shanty.call(&["eval", "--json", code]).into_command();
    let whole = deadly::run(command(), None);
    assert!(whole.success, "{}", whole.output);
    let mut killed = 0;
    for number in 1..=whole.calls.len() {
        for moment in [Moment::Before, Moment::After] {
            shanty.eval(undo).ok();
            let end = deadly::run(command(), Some((number, moment)));
            killed += usize::from(end.killed);
            let what = format!("{moment:?} {number} {:?}", end.calls.last());
            wait_until(LIMIT, || {
                let rows = shanty.json("volumes().map(|v| v.name)");
                let rows: BTreeSet<String> =
                    rows.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect();
                let marks = rows.iter().any(|name| shanty.root().join("volumes").join(name).join("filling").exists());
                rows == folders(shanty) && !marks
            });
            shanty.eval(again).ok();
            let done = shanty.eval(code).output();
            assert_eq!(done.code, 0, "{what}: {done}");
        }
    }
    assert!(killed >= whole.calls.len(), "{killed} of {:?}", whole.calls);
}

#[test]
fn a_volume_that_is_being_made_is_there_wholly_or_not_at_all() {
    let shanty = require!(with_busybox());
    let undo = r#"volume("data").remove(#{ missing_ok: true })"#;
    kill_everywhere(&shanty, r#"create_volume("data").name"#, undo, undo);
    shanty.eval(r#"create_volume("data")"#).ok();
    kill_everywhere(&shanty, r#"volume("data").remove().name"#, r#"create_volume("data")"#, r#"create_volume("data")"#);
}

#[test]
fn a_container_that_is_being_made_leaves_no_volume_half_filled() {
    let shanty = require!(with_busybox());
    shanty
        .eval(r#"from("busybox:1").sh("mkdir /d && touch /d/a /d/b").volume("/d").volume("/e").tag("filled:1")"#)
        .ok();
    let code = r#"let c = image("filled:1").create(["ls", "/d"], #{ name: "one", volumes: ["data:/d"], network: "none" });
                  c.start(); c.wait(); if c.logs() != "a\nb\n" { throw c.logs() } volumes().len()"#;
    let undo = r#"container("one").remove(#{ force: true, volumes: true, missing_ok: true }); volume("data").remove(#{ missing_ok: true })"#;
    // The volume stays as it was left: half filled, it would be taken for a full one.
    let again = r#"container("one").remove(#{ force: true, volumes: true, missing_ok: true })"#;
    kill_everywhere(&shanty, code, undo, again);
    assert_eq!(shanty.json("volumes().len()"), json!(2));
}

#[test]
fn volumes_may_be_on_a_disk_of_their_own() {
    let shanty = require!(with_busybox());
    let volumes = shanty.root().join("volumes");
    let mount = |args: &[&str]| {
        assert!(std::process::Command::new(args[0]).args(&args[1..]).arg(&volumes).status().unwrap().success());
    };
    mount(&["mount", "-t", "tmpfs", "tmpfs"]);
    let code = r#"
        image("busybox:1").exec("touch /d/x", #{ volumes: ["data:/d", "/anonymous"], network: "none" });
        volume("data").backup("x.tar");
        volume("data").restore("x.tar", #{ replace: true });
        volume("data").clone("copy");
        volume("data").remove();
        volumes().map(|v| v.name)"#;
    let output = shanty.call(&["eval", "--json", code]).output();
    if output.code != 0 {
        mount(&["umount", "--lazy"]);
        panic!("{output}");
    }
    wait_until(LIMIT, || {
        shanty.eval("volumes()").ok();
        folders(&shanty) == ["copy".to_owned()].into()
    });
    shanty.eval(r#"volume("copy").remove()"#).ok();
    mount(&["umount", "--lazy"]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&output.stdout).unwrap(), json!(["copy"]), "{output}");
}
