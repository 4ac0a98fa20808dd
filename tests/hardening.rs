//! What other users of the machine, and containers, must not reach.

use crate::support::busybox::with_busybox;
use crate::support::require;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

fn mode(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn no_other_user_reaches_files_sockets_or_secrets_of_a_root() {
    let shanty = require!(with_busybox());
    shanty
        .eval(
            r#"image("busybox:1").run(["sh", "-c", "cp /bin/busybox /x; chmod 4755 /x; sleep 1000"],
                   #{ name: "setuid", env: #{ SECRET: "hidden" }, network: "none" }).wait_for(#{ exec: ["test", "-u", "/x"] })"#,
        )
        .ok();
    for folder in ["containers", "volumes", "blobs", "layers", "trash"] {
        assert_eq!(mode(&shanty.root().join(folder)), 0o700, "{folder}");
    }
    for entry in std::fs::read_dir(shanty.root()).unwrap().map(|entry| entry.unwrap().path()) {
        assert_eq!(mode(&entry) & 0o077, 0, "{}", entry.display());
    }
    let run_dir = Path::new("/run/shanty").join(shanty.id8().unwrap());
    assert_eq!(mode(&run_dir), 0o700);
}

#[test]
fn a_container_cannot_change_the_hosts_null_device() {
    let shanty = require!(with_busybox());
    let before = std::fs::metadata("/dev/null").unwrap();
    let script = "chmod 600 /proc/keys; touch -d 2001-01-01 /proc/keys; chmod 600 /proc/self/fd/0; touch -d 2001-01-01 /dev/fd/0; true";
    shanty
        .eval(&format!(
            r#"image("busybox:1").exec(["sh", "-c", "{script}"], #{{ network: "none" }});
               let c = image("busybox:1").run(["sleep", "100"], #{{ network: "none" }});
               c.exec(["sh", "-c", "{script}"]);
               c.remove(#{{ force: true }})"#
        ))
        .ok();
    let after = std::fs::metadata("/dev/null").unwrap();
    assert_eq!(after.mode(), before.mode());
    assert!(after.mtime() > 1_000_000_000, "its times are the host's");
}

#[test]
fn the_callers_umask_does_not_reach_into_containers() {
    let shanty = require!(with_busybox());
    let code = r#"print(image("busybox:1").exec(["sh", "-c", "cat /etc/hostname > /dev/null && cd / && umask"], #{ user: "1000", network: "none" }).text)"#;
    let output = std::process::Command::new("sh")
        .args(["-c", "umask 077; exec \"$0\" eval \"$1\"", env!("CARGO_BIN_EXE_shanty"), code])
        .env("SHANTY_ROOT", shanty.root())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "0022\n", "{}", String::from_utf8_lossy(&output.stderr));
}
