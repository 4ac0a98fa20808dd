//! Containers that take what they can get: processes, log, disk.

use crate::support::busybox::with_busybox;
use crate::support::{Shanty, require};
use serde_json::json;
use std::path::Path;
use std::time::Duration;

#[test]
fn a_fork_bomb_is_held_by_its_limit_and_removed_whole() {
    let shanty = require!(with_busybox());
    let value = shanty.json(
        "let bomb = `(bomb() { bomb | bomb & }; while :; do bomb; done) & exec sleep 1000`;
         let c = image(`busybox:1`).run([`sh`, `-c`, bomb], #{ pids: 40, network: `none`, stop_timeout: `0s` });
         let other = image(`busybox:1`).exec([`echo`, `well`], #{ network: `none` }).text;
         sleep(`1s`);
         let status = c.status;
         c.remove(#{ force: true });
         [other, status, c.exists]",
    );
    assert_eq!(value, json!(["well", "running", false]));
    shanty.assert_nothing_left();
}

/// A small file system, until it is dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new(size: &str) -> Self {
        let folder = tempfile::TempDir::with_prefix("shanty-disk-").unwrap();
        let (flags, options) = (nix::mount::MsFlags::empty(), format!("size={size}"));
        nix::mount::mount(Some("small"), folder.path(), Some("tmpfs"), flags, Some(options.as_str())).unwrap();
        Self(folder)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // After a failure its containers would go on writing.
        let root = self.0.path().join("root");
        if let Ok(database) = rusqlite::Connection::open(root.join("shanty.db"))
            && let Ok(id) =
                database.query_row("SELECT value FROM meta WHERE key = 'root_id'", [], |row| row.get::<_, String>(0))
        {
            crate::support::sweep(&root, &id[..8]);
        }
        let _ = nix::mount::umount2(self.0.path(), nix::mount::MntFlags::MNT_DETACH);
    }
}

#[test]
fn a_container_that_fills_the_disk_can_still_be_stopped_and_removed() {
    let shanty = require!(with_busybox());
    let disk = SmallDisk::new("48m");
    let root = disk.0.path().join("root");
    let eval = |code: &str| {
        let call =
            shanty.call(&["--root", root.to_str().unwrap(), "eval", "--json", code]).limit(Duration::from_secs(120));
        let output = call.ok();
        serde_json::from_str::<serde_json::Value>(&output.stdout).unwrap()
    };
    let tar = shanty.work().join("busybox.tar");
    eval(&format!("from(`scratch`).layer_from(`{}`).env(`PATH`, `/bin`).tag(`busybox:1`); 1", tar.display()));
    // It takes all there is, and what becomes free at once, for ever.
    let filling = "(while :; do cat /dev/zero >> /full; done) 2>&1 & while :; do echo rest >> /rest; done 2>&1";
    eval(&format!(
        "let c = image(`busybox:1`).run([`sh`, `-c`, `{filling}`], #{{ name: `full`, network: `none`, stop_timeout: `0s` }});
         eventually(#{{ timeout: `60s` }}, || c.exec(`df -P /`).text.contains(`100%`)); 1"
    ));
    assert_eq!(
        eval("let c = container(`full`); [c.status, c.exec([`echo`, `alive`]).text]"),
        json!(["running", "alive"])
    );
    assert_eq!(eval("let c = container(`full`); c.stop(); c.status"), "exited");
    eval("container(`full`).remove(#{ missing_ok: true }); 1");
    let after =
        "[containers(#{ all: true }).len(), image(`busybox:1`).exec([`echo`, `again`], #{ network: `none` }).text]";
    assert_eq!(eval(after), json!([0, "again"]));
    assert_nothing_left(&shanty, &root);
}

fn assert_nothing_left(shanty: &Shanty, root: &Path) {
    let database = rusqlite::Connection::open(root.join("shanty.db")).unwrap();
    let id: String = database.query_row("SELECT value FROM meta WHERE key = 'root_id'", [], |row| row.get(0)).unwrap();
    drop(database);
    let left = crate::support::wait_for(Duration::from_secs(30), || {
        let left = crate::support::leaks(root, &id[..8]);
        left.is_empty().then_some(left)
    });
    crate::support::sweep(root, &id[..8]);
    assert_eq!(left, Vec::<String>::new(), "{}", shanty.root().display());
}
