//! What ordinary users do: each test is a user of its own, with a number that nobody has, in a network of its own.

mod differences;
mod doctor;
mod files;
mod maps;
mod network;
mod owners;
mod pasta;
mod ranges;
mod resources;
mod systemd;

use self::ranges::Ranges;
use crate::support::busybox::write_rootfs;
use crate::support::fixtures::{Missing, program};
use crate::support::netns::Netns;
use crate::support::wait::wait_for;
use nix::fcntl::{Flock, FlockArg};
use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// The address of the machine that the user is on, beside loopback.
pub const MACHINE: &str = "198.51.100.1";
/// The same of IPv6.
pub const MACHINE_6: &str = "2001:db8:1::1";

/// A user with a root, the image `busybox:1`, and a machine whose whole network is its own.
pub struct Person {
    uid: u32,
    folder: TempDir,
    /// The machine's network: loopback, and [`MACHINE`] on a link to nobody.
    pub machine: Netns,
    way: &'static str,
    /// The user namespace with ranges.
    ranges: Option<Ranges>,
    /// Held by who is somebody that the machine knows; others have numbers of their own.
    known: Option<Flock<File>>,
}

impl Person {
    /// A user without ranges of ids.
    pub fn new() -> Result<Self, Missing> {
        Self::with(|_| None)
    }

    /// A user with 65,536 ids.
    pub fn with_ranges() -> Result<Self, Missing> {
        Self::with(|uid| Some(Ranges::of(uid)))
    }

    fn with(ranges: impl FnOnce(u32) -> Option<Ranges>) -> Result<Self, Missing> {
        // Each test is a process, but in the virtual machine a thread.
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let uid = 400_000_000 + std::process::id() * 16 + NEXT.fetch_add(1, Ordering::Relaxed) % 16;
        Self::with_number(uid, ranges(uid), None)
    }

    /// A user of the machine, with a systemd on a bus and with ranges of ids; its commands are outside of what is delegated
    /// to it. There may be one, so tests wait for each other.
    pub fn with_systemd() -> Result<Self, Missing> {
        let passwd = fs::read_to_string("/etc/passwd").unwrap();
        let numbers = passwd.lines().filter_map(|line| line.split(':').nth(2)?.parse().ok());
        let has_bus = |uid: &u32| *uid > 0 && Path::new(&format!("/run/user/{uid}/bus")).exists();
        let uid = numbers.rev().find(has_bus);
        let uid = uid.ok_or_else(|| Missing("a user with a systemd (`tests/run --vm --systemd`)".into()))?;
        let lock = File::create(format!("/run/lock/shanty-test-{uid}")).unwrap();
        Self::with_number(uid, None, Some(Flock::lock(lock, FlockArg::LockExclusive).unwrap()))
    }

    fn with_number(uid: u32, ranges: Option<Ranges>, known: Option<Flock<File>>) -> Result<Self, Missing> {
        let busybox = program("busybox")?;
        let folder = TempDir::with_prefix("shanty-test-").unwrap();
        let tar = folder.path().join("busybox.tar");
        write_rootfs(&busybox, &tar);
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for path in [folder.path().to_owned(), tar.clone()] {
            chown(&path, Some(uid), Some(uid)).unwrap();
        }
        let machine = Netns::new();
        machine.sh(&format!(
            "ip link set lo up; ip link add wire type bridge; ip addr add {MACHINE}/24 dev wire; ip addr add {MACHINE_6}/64 dev wire nodad; ip link set wire up"
        ));
        let person = Self { uid, folder, machine, way: "forwarding", ranges, known };
        let made = format!(
            r#"from("scratch").layer_from("{}").env("PATH", "/bin").cmd(["sh"]).tag("busybox:1")"#,
            tar.display()
        );
        person.eval(&made);
        Ok(person)
    }

    /// Has the way out be this one.
    pub fn way(mut self, way: &'static str) -> Self {
        self.way = way;
        self
    }

    /// Runs code, which must succeed: what it prints.
    #[track_caller]
    pub fn eval(&self, code: &str) -> String {
        let output = self.try_eval(code);
        assert!(output.status.success(), "`{code}`: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs code.
    pub fn try_eval(&self, code: &str) -> Output {
        self.machine.run(|| self.command().args(["eval", code]).output().unwrap())
    }

    /// Runs code on another root.
    pub fn try_eval_at(&self, root: &Path, code: &str) -> Output {
        self.machine.run(|| self.command().env("SHANTY_ROOT", root).args(["eval", code]).output().unwrap())
    }

    fn command(&self) -> Command {
        let uid = self.uid;
        let mut command = self.ranges.as_ref().map_or_else(
            || {
                let mut command = Command::new("setpriv");
                command.args([format!("--reuid={uid}"), format!("--regid={uid}"), "--clear-groups".into()]);
                command
            },
            Ranges::command,
        );
        command.arg(env!("CARGO_BIN_EXE_shanty")).env_clear().current_dir(self.folder.path());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", self.folder.path());
        command.env("SHANTY_ROOT", self.folder.path().join("root")).env("SHANTY_WAY_OUT", self.way);
        command
    }

    /// The folder of what need not survive a reboot.
    pub fn base(&self) -> PathBuf {
        let uid = self.uid;
        if self.known.is_some() {
            format!("/run/user/{uid}/shanty").into()
        } else if self.ranges.is_some() {
            format!("/tmp/shanty-{uid}").into()
        } else {
            format!("/tmp/shanty-{uid}-single").into()
        }
    }

    /// Processes of the user whose command line starts so.
    pub fn processes(&self, name: &str) -> Vec<i32> {
        let ids =
            Command::new("pgrep").args(["-u", &self.uid.to_string(), "-f", &format!("^{name}")]).output().unwrap();
        let ids = String::from_utf8(ids.stdout).unwrap();
        let is_of_login = |pid: &i32| {
            let comm = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            self.known.is_some() && ["systemd", "(sd-pam)", "dbus-daemon"].contains(&comm.trim())
        };
        ids.lines().filter_map(|line| line.parse().ok()).filter(|pid| !is_of_login(pid)).collect()
    }

    /// Waits until no process of the user is left.
    #[track_caller]
    pub fn wait_for_nobody(&self) {
        wait_for(Duration::from_secs(10), || self.processes("").is_empty().then_some(()));
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        for pid in self.processes("") {
            // It may have ended meanwhile.
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
        }
        let _ = fs::remove_dir_all(self.base());
    }
}
