//! Ending groups: killing what is left in them, and removing them.

use super::{Group, Hierarchies, Hierarchy, try_write};
use crate::error::{IoContext, Result};
use crate::sys::pidfd;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long to wait for killed processes to leave their group.
const PATIENCE: Duration = Duration::from_secs(5);

/// Kills what is in a container's groups and removes them. Goes on after a failure; gives the groups
/// that are left.
pub fn remove_group(hierarchies: &Hierarchies, path: &Path) -> Vec<String> {
    let mut left = Vec::new();
    if let Some(freezer) = hierarchies.of("freezer") {
        // A frozen process of v1 gets its KILL when it is thawed, one of v2 at once.
        let _ = try_write(&freezer.dir(path).join("freezer.state"), "THAWED");
    }
    for hierarchy in hierarchies.all() {
        if let Err(error) = remove_one(hierarchy, path) {
            left.push(format!("`{}`: {error}", hierarchy.dir(path).display()));
        }
    }
    left
}

/// Removes a group where nobody is in it.
pub fn remove_if_empty(hierarchies: &Hierarchies, path: &Path) {
    for hierarchy in hierarchies.all() {
        // Busy: whoever is in it removes it in the end.
        let _ = std::fs::remove_dir(hierarchy.dir(path));
    }
}

impl Group<'_> {
    /// Kills everything in a group of cgroup2 below this one; `false` when there is none.
    pub fn kill_below(&self, name: &str) -> bool {
        let Some(unified) = &self.hierarchies.unified else { return false };
        let dir = unified.dir(self.path).join(name);
        kill_each(&dir);
        dir.exists()
    }

    /// Removes a group of cgroup2 below this one when nothing is in it.
    pub fn remove_below(&self, name: &str) {
        if let Some(unified) = &self.hierarchies.unified {
            let _ = std::fs::remove_dir(unified.dir(self.path).join(name));
        }
    }

    /// Sends a signal to every process of the group and of those below it, as far as they are there now.
    pub fn signal_all(&self, signal: i32) -> Result<()> {
        for pid in self.processes() {
            match pidfd::open(pid).and_then(|process| pidfd::send_signal(process, signal)) {
                // It has ended by now.
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(errno) => return Err(errno).doing(|| format!("cannot send signal {signal} to process {pid}")),
            }
        }
        Ok(())
    }

    /// Kills everything in the group, as far as it is there now; waits for nothing. The group stays in use.
    ///
    /// Not by `cgroup.kill`: after it Linux 6.18 also kills whatever is born in the group (`CLONE_INTO_CGROUP`).
    pub fn kill_all(&self) {
        for hierarchy in self.hierarchies.all() {
            kill_each(&hierarchy.dir(self.path));
        }
    }
}

fn remove_one(hierarchy: &Hierarchy, path: &Path) -> std::io::Result<()> {
    let dir = hierarchy.dir(path);
    let until = Instant::now() + PATIENCE;
    let mut pause = Duration::from_micros(100);
    loop {
        match std::fs::remove_dir(&dir) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) if error.raw_os_error() != Some(Errno::EBUSY as i32) || Instant::now() > until => {
                return Err(error);
            }
            Err(_) => {}
        }
        // A busy group has processes, or groups that the container made below.
        kill_all(&dir);
        for below in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
            if below.file_type().is_ok_and(|kind| kind.is_dir()) {
                let _ = remove_one(hierarchy, &path.join(below.file_name()));
            }
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

fn kill_all(dir: &Path) {
    // cgroup2 kills all of them at once, so that none can fork away.
    if try_write(&dir.join("cgroup.kill"), "1").is_ok() {
        return;
    }
    kill_each(dir);
}

fn kill_each(dir: &Path) {
    let processes = std::fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
    for pid in processes.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid > 1) {
        // It may have ended by now.
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
}
