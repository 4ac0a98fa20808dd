//! A user namespace with ranges, as `newuidmap` makes it; here root does, so that no file of the machine names the user.

use std::fs;
use std::process::{Child, Command};

/// The first of the ids that the user has beside its own.
pub const FIRST: u32 = 3_000_000_000;

/// A process that keeps the namespace.
pub struct Ranges(Child);

impl Ranges {
    /// Root inside is the user, 1 to 65,536 are [`FIRST`] and those that follow.
    pub fn of(uid: u32) -> Self {
        let holder = Command::new("unshare").args(["--user", "sleep", "infinity"]).spawn().unwrap();
        let own = fs::read_link("/proc/self/ns/user").unwrap();
        let of = |file: &str| format!("/proc/{}/{file}", holder.id());
        crate::support::wait::wait_for(std::time::Duration::from_secs(10), || {
            fs::read_link(of("ns/user")).is_ok_and(|there| there != own).then_some(())
        });
        for file in ["uid_map", "gid_map"] {
            fs::write(of(file), format!("0 {uid} 1\n1 {FIRST} 65536\n")).unwrap();
        }
        Self(holder)
    }

    /// Runs the program that is added to it as root of the namespace.
    pub fn command(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.args([&format!("--user=/proc/{}/ns/user", self.0.id()), "--setuid=0", "--setgid=0"]);
        command
    }
}

impl Drop for Ranges {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}
