//! Podman with `shanty-oci` as its runtime.

use super::bundle::LIMIT;
use super::engine::{Engine, IMAGE, is_used_at_a_terminal, lives_a_whole_life, runtime};
use crate::support::fixtures::{Missing, program};
use crate::support::{require, wait_until};
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// Podman with storage of its own. Dropping it removes its containers.
struct Podman {
    folder: TempDir,
    runtime: PathBuf,
}

impl Podman {
    fn new() -> Result<Self, Missing> {
        let (_podman, _conmon) = (program("podman")?, program("conmon")?);
        let folder = TempDir::with_prefix("shanty-podman-").unwrap();
        let runtime = runtime(&folder);
        let podman = Self { folder, runtime };
        podman.import(&podman.folder)?;
        Ok(podman)
    }
}

impl Engine for Podman {
    fn client(&self, args: &[&str]) -> Command {
        let file = |name: &str| self.folder.path().join(name);
        let mut command = Command::new("podman");
        command.arg("--root").arg(file("root")).arg("--runroot").arg(file("run")).arg("--runtime").arg(&self.runtime);
        command.args(["--cgroup-manager", "cgroupfs", "--events-backend", "none"]).args(args);
        command
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        self.call_with(&["rm", "--all", "--force", "--time", "0"], "");
        // What the layers are mounted on.
        self.call_with(&["umount", "--all", "--force"], "");
        let _ = nix::mount::umount2(&self.folder.path().join("root/overlay"), nix::mount::MntFlags::MNT_DETACH);
    }
}

#[test]
fn podman_runs_its_containers_on_shanty() {
    let podman = require!(Podman::new());
    // Its own limits are above those of some machines' root.
    let options = ["--network", "none", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"];
    lives_a_whole_life(&podman, &options, |id| format!("libpod_parent/libpod-{id}"));
    is_used_at_a_terminal(&podman, &options);
}

#[test]
fn podman_maps_ids_on_shanty() {
    let podman = require!(Podman::new());
    let options = ["--network", "none", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"];
    let maps = ["--uidmap", "0:700000:65536", "--gidmap", "0:700000:65536"];
    let run = |more: &[&'static str]| podman.ok(&[&["run"], &options[..], &maps, more].concat());
    let seen =
        run(&["--rm", IMAGE, "sh", "-c", "awk '{ print $1, $2, $3 }' /proc/self/uid_map; echo x > /file; id -u"]);
    assert_eq!(seen, "0 700000 65536\n0\n");
    run(&["-d", "--name", "mapped", "--memory", "64m", IMAGE, "sleep", "1000"]);
    assert_eq!(podman.ok(&["exec", "-u", "5:6", "mapped", "sh", "-c", "id -u; id -g"]), "5\n6\n");
    assert_eq!(podman.ok(&["exec", "mapped", "sh", "-c", "ls -ln /bin/busybox | awk '{ print $3, $4 }'"]), "0 0\n");
    // Its first try may find its own `/dev/shm` of a mapped container still mounted, as with runc.
    wait_until(LIMIT, || podman.call_with(&["rm", "--force", "--time", "0", "mapped"], "").code == 0);
}
