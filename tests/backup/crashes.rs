//! Killed at each sync and rename, a backup is whole or not there, and a volume is as before or restored.

use super::data;
use crate::support::busybox::with_busybox;
use crate::support::deadly::{self, Moment};
use crate::support::wait::wait_until;
use crate::support::{Shanty, require};
use std::collections::BTreeSet;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(30);

/// Runs `code` and kills it at each of its syncs and renames in turn, after `before`; then `check` says whether all is well.
fn kill_everywhere(shanty: &Shanty, code: &str, before: &str, check: impl Fn(&str)) {
    let command = || shanty.call(&["eval", "--json", code]).into_command();
    shanty.eval(before).ok();
    let whole = deadly::run(command(), None);
    assert!(whole.success, "{}", whole.output);
    let mut killed = 0;
    for number in 1..=whole.calls.len() {
        for moment in [Moment::Before, Moment::After] {
            shanty.eval(before).ok();
            let end = deadly::run(command(), Some((number, moment)));
            killed += usize::from(end.killed);
            check(&format!("{moment:?} {number} {:?}", end.calls.last()));
            wait_until(LIMIT, || {
                let rows = shanty.json("volumes().map(|v| v.name)");
                let rows: BTreeSet<_> =
                    rows.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect();
                let folders = std::fs::read_dir(shanty.root().join("volumes")).unwrap().flatten();
                let folders: BTreeSet<_> = folders.map(|entry| entry.file_name().display().to_string()).collect();
                rows == folders
            });
        }
    }
    assert!(killed >= whole.calls.len(), "{killed} of {:?}", whole.calls);
}

fn prepared() -> Result<Shanty, crate::support::fixtures::Missing> {
    let shanty = with_busybox()?;
    shanty.eval(r#"create_volume("data")"#).ok();
    for name in ["one", "two"] {
        std::fs::write(data(&shanty, "data").join(name), name).unwrap();
    }
    Ok(shanty)
}

/// The names in a volume.
fn names(shanty: &Shanty, volume: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(data(shanty, volume)).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().display().to_string()).collect()
}

#[test]
fn a_backup_is_whole_or_the_one_before() {
    let shanty = require!(prepared());
    kill_everywhere(
        &shanty,
        r#"volume("data").backup("x.tar.zst").entries"#,
        r#"volume("data").backup("x.tar.zst")"#,
        |what| {
            shanty.eval(r#"volume("copy").restore("x.tar.zst", #{ replace: true })"#).ok();
            assert_eq!(names(&shanty, "copy"), names(&shanty, "data"), "{what}");
            let work: BTreeSet<_> =
                std::fs::read_dir(shanty.work()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            // A whole one that has not come to its name has one that is nobody's.
            let others = work.iter().filter(|name| name.to_string_lossy().starts_with("x.")).count();
            assert_eq!(others, 1, "{what}: {work:?}");
        },
    );
}

#[test]
fn a_volume_is_as_before_or_restored() {
    let shanty = require!(prepared());
    shanty.eval(r#"volume("data").backup("x.tar")"#).ok();
    let (old, new): (BTreeSet<String>, BTreeSet<String>) =
        (["old".to_owned()].into(), ["one", "two"].map(str::to_owned).into());
    let before = r#"volume("copy").remove(#{ missing_ok: true }); fs::write(create_volume("copy").path + "/old", "")"#;
    kill_everywhere(&shanty, r#"volume("copy").restore("x.tar", #{ replace: true }).name"#, before, |what| {
        let found = names(&shanty, "copy");
        assert!(found == old || found == new, "{what}: {found:?}");
    });
}

#[test]
fn a_clone_is_there_wholly_or_not_at_all() {
    let shanty = require!(prepared());
    let before = r#"volume("copy").remove(#{ missing_ok: true })"#;
    kill_everywhere(&shanty, r#"volume("data").clone("copy").name"#, before, |what| {
        let exists = shanty.json(r#"volume("copy").exists"#) == serde_json::json!(true);
        assert!(!exists || names(&shanty, "copy") == names(&shanty, "data"), "{what}");
    });
}
