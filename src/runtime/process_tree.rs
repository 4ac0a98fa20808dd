//! The processes of a container where no control group holds them: found in `/proc`, stopped with signals, counted one
//! by one.

use super::cgroup::{CpuUsage, MemoryUsage, PidsUsage, Usage};
use crate::error::{Error, IoContext, Result};
use crate::sys::pidfd;
use crate::sys::process_stat::{ProcessStat, TICKS};
use nix::errno::Errno;
use nix::unistd::{SysconfVar, sysconf};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

/// Nanoseconds of a tick.
const TICK: u64 = 1_000_000_000 / TICKS;
/// How many times those that are born while the others are stopped are looked for.
const STOPPING: usize = 16;

/// The processes that belong to a first process: those in the pid namespace that it is process 1 of, and all their
/// descendants. Where it has no such namespace of its own, its descendants alone.
#[derive(Clone, Copy, Debug)]
pub struct ProcessTree {
    init: i32,
}

impl ProcessTree {
    /// Of a container's first process.
    pub fn of(init: i32) -> Self {
        Self { init }
    }

    /// Their pids, as far as they are there now, zombies too. Empty when the first one has ended.
    pub fn processes(self) -> Vec<i32> {
        self.look().into_keys().collect()
    }

    /// Stops those that run. Whoever was born meanwhile is found by [`Self::is_still`].
    ///
    /// # Errors
    /// `denied` when a process is not ours to stop.
    pub fn stop(self) -> Result<()> {
        self.signal(libc::SIGSTOP, |stat| !stat.is_still())
    }

    /// Lets all of them go on.
    ///
    /// # Errors
    /// `denied` when a process is not ours.
    pub fn go_on(self) -> Result<()> {
        self.signal(libc::SIGCONT, |_| true)
    }

    /// Whether all of them stand still; those that do not are stopped once more.
    ///
    /// # Errors
    /// Those of [`Self::stop`].
    pub fn is_still(self) -> Result<bool> {
        // Twice: what a process forked before it stopped may have a pid that the first look had passed.
        if (0..2).all(|_| self.look().values().all(ProcessStat::is_still)) {
            return Ok(true);
        }
        self.stop()?;
        Ok(false)
    }

    /// Kills all of them, as far as they can be found: who has lost its parent before is not.
    pub fn kill(self) {
        // Stopped first: whoever is killed before its children loses them.
        for _ in 0..STOPPING {
            if self.is_still().unwrap_or(true) {
                break;
            }
        }
        // One that is not ours cannot be killed, and nobody waits for it.
        let _ = self.signal(libc::SIGKILL, |_| true);
    }

    /// What they use: the time of those that have ended and were waited for is counted, memory that they share is counted
    /// for each. What `/proc` does not tell is 0.
    ///
    /// # Errors
    /// `not_found` when the container has ended.
    pub fn usage(self) -> Result<Usage> {
        let processes = self.look();
        if processes.is_empty() {
            return Err(Error::not_found("the container has no processes"));
        }
        let page = sysconf(SysconfVar::PAGE_SIZE).ok().flatten().and_then(|size| u64::try_from(size).ok());
        let sum = |of: fn(&ProcessStat) -> u64| processes.values().map(of).sum::<u64>();
        let (user, system) =
            (sum(|stat| stat.user + stat.children_user) * TICK, sum(|stat| stat.system + stat.children_system) * TICK);
        Ok(Usage {
            cpu: CpuUsage { total: user + system, user, system, ..CpuUsage::default() },
            memory: MemoryUsage { usage: sum(|stat| stat.pages) * page.unwrap_or(4096), ..MemoryUsage::default() },
            block: Vec::new(),
            pids: PidsUsage { current: sum(|stat| stat.threads), limit: None },
        })
    }

    fn signal(self, signal: i32, whom: impl Fn(&ProcessStat) -> bool) -> Result<()> {
        let held: Vec<(i32, OwnedFd)> =
            self.look().keys().filter_map(|pid| Some((*pid, pidfd::open(*pid).ok()?))).collect();
        // Looked at again, now that they are held: a pid may have gone to a process that is not the container's.
        let now = self.look();
        for (pid, process) in held.iter().filter(|(pid, _)| now.get(pid).is_some_and(&whom)) {
            match pidfd::send_signal(process, signal) {
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(errno) => return Err(errno).doing(|| format!("cannot send signal {signal} to process {pid}")),
            }
        }
        Ok(())
    }

    fn look(self) -> BTreeMap<i32, ProcessStat> {
        let mut all = BTreeMap::new();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
            if let Ok(stat) = ProcessStat::of(pid) {
                all.insert(pid, stat);
            }
        }
        let mut seeds = BTreeSet::from([self.init]);
        if is_first(self.init)
            && let Some(namespace) = pid_namespace(self.init)
        {
            seeds.extend(all.keys().filter(|pid| pid_namespace(**pid).as_ref() == Some(&namespace)));
        }
        let members = with_descendants(seeds, &all.iter().map(|(pid, stat)| (*pid, stat.parent)).collect());
        all.retain(|pid, _| members.contains(pid));
        all
    }
}

/// The processes and all that descend from them.
fn with_descendants(mut members: BTreeSet<i32>, parents: &BTreeMap<i32, i32>) -> BTreeSet<i32> {
    loop {
        let before = members.len();
        let children = parents.iter().filter(|(_, parent)| members.contains(parent)).map(|(pid, _)| *pid);
        let children: Vec<i32> = children.collect();
        members.extend(children);
        if members.len() == before {
            return members;
        }
    }
}

fn pid_namespace(pid: i32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/ns/pid")).ok()
}

/// Whether it is process 1 of a namespace below ours: the last of its pids in `NSpid` (proc(5)).
fn is_first(pid: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let pids = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
    pids.split_ascii_whitespace().skip(1).last() == Some("1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::clone::spawn;
    use nix::sched::CloneFlags;
    use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
    use nix::unistd::{Pid, pause};

    #[test]
    fn descendants_are_found_in_any_order_of_pids() {
        let parents = BTreeMap::from([(1, 0), (5, 9), (7, 1), (9, 7)]);
        assert_eq!(with_descendants(BTreeSet::from([7]), &parents), BTreeSet::from([5, 7, 9]));
    }

    #[test]
    fn all_that_descend_from_a_process_are_killed() {
        let mut shell = std::process::Command::new("sh");
        let mut child = shell.args(["-c", "setsid sleep 1000 & setsid sh -c 'sleep 1000; :' & wait"]).spawn().unwrap();
        let tree = ProcessTree::of(child.id().cast_signed());
        while tree.processes().len() < 4 {
            std::thread::yield_now();
        }
        let all = tree.processes();
        tree.kill();
        child.wait().unwrap();
        // Who takes over orphans reaps them.
        let runs = |pid: &i32| ProcessStat::of(*pid).is_ok_and(|stat| !stat.has_ended());
        while all.iter().any(runs) {
            std::thread::yield_now();
        }
    }

    #[test]
    fn processes_stop_and_go_on() {
        let child = spawn(CloneFlags::empty(), None, || {
            pause();
            0
        })
        .unwrap();
        let (tree, pid) = (ProcessTree::of(child.pid), Pid::from_raw(child.pid));
        assert_eq!(tree.processes(), [child.pid]);
        tree.stop().unwrap();
        assert!(matches!(waitpid(pid, Some(WaitPidFlag::WUNTRACED)), Ok(WaitStatus::Stopped(..))));
        assert!(tree.is_still().unwrap());
        tree.go_on().unwrap();
        assert!(matches!(waitpid(pid, Some(WaitPidFlag::WCONTINUED)), Ok(WaitStatus::Continued(_))));
        assert_eq!(tree.usage().unwrap().pids.current, 1);
        pidfd::send_signal(&child.pidfd, libc::SIGKILL).unwrap();
        waitpid(pid, None).unwrap();
        assert!(tree.usage().is_err() && tree.processes().is_empty());
    }
}
