//! Programs that run in the container beside the first one: `exec`.

use super::handshake::Container;
use super::owners::Owners;
use crate::error::{Error, IoContext, Result};
use crate::model::Id;
use crate::runtime::cgroup::{Group, NO_DEVICE_RULES};
use crate::runtime::control::protocol::{ExecRequest, Failure};
use crate::runtime::exec::{Exec, ExecStdio, Task};
use crate::runtime::external::{External, ExternalExec};
use crate::runtime::report::{Incoming, Reporter};
use crate::sys::clone::{self, Child};
use crate::sys::pidfd;
use crate::{runtime::capability, sys::process};
use nix::fcntl::OFlag;
use nix::sched::CloneFlags;
use nix::unistd::pipe2;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// One of them.
pub struct Execution {
    process: Child,
    /// Until it was executed, or failed.
    report: Option<Incoming>,
    detach: bool,
    /// Names it in the container's events.
    id: Id,
    command: String,
    /// How many processes of the container had been killed for want of memory before.
    pub victims_before: u64,
}

impl Execution {
    /// Makes its process, with `below` in a group of that name below the container's. The first one must run.
    pub fn start(
        request: &ExecRequest,
        stdio: Vec<OwnedFd>,
        container: &Container,
        group: Group<'_>,
        below: Option<&str>,
    ) -> Result<Self> {
        let Container { launch, owners, state, .. } = container;
        let Some(init) = &container.init else { return Err(Error::conflict("the container has ended")) };
        let stdio = ExecStdio::new(request, stdio)?;
        let doing = || "cannot make a process in the container";
        let (report, report_write) = pipe2(OFlag::O_CLOEXEC).doing(doing)?;
        let (bundle_dir, reporter) = (launch.bundle_dir(), Reporter::new(report_write));
        let process = if let Some(external) = External::of(launch) {
            let exec = ExternalExec { external, request, bundle_dir, init: init.pid, stdio, reporter };
            clone::spawn(CloneFlags::empty(), None, move || exec.run())
        } else {
            let without_mknod = state.warnings.iter().any(|warning| warning.starts_with(NO_DEVICE_RULES));
            let exec = Exec {
                task: Task::Beside(request, bundle_dir),
                hierarchies: group.hierarchies,
                group: group.path,
                init: init.pidfd.as_fd(),
                stdio,
                take_away: if without_mknod { capability::bit("MKNOD").unwrap_or(0) } else { 0 },
                owners: owners.as_ref().map(Owners::outbox),
                reporter,
            };
            let cgroup = match below {
                Some(name) => group.open_below(name)?,
                None => group.open_v2()?,
            };
            clone::spawn(CloneFlags::empty(), cgroup.as_ref().map(AsFd::as_fd), move || exec.run())
        };
        Ok(Self {
            process: process.doing(doing)?,
            report: Some(Incoming::new(report).doing(doing)?),
            detach: request.detach,
            id: Id::random()?,
            command: request.argv.join(" "),
            victims_before: 0,
        })
    }

    /// Its pid on the host.
    pub fn pid(&self) -> i32 {
        self.process.pid
    }

    /// What names it in events, and the command as a person reads it.
    pub fn named(&self) -> (Id, String) {
        (self.id.clone(), self.command.clone())
    }

    /// Clock ticks from boot to its start.
    pub fn start_time(&self) -> u64 {
        process::start_time(self.process.pid).unwrap_or(0)
    }

    /// What to poll until it is known whether it was executed.
    pub fn report_fd(&self) -> Option<BorrowedFd<'_>> {
        self.report.as_ref().map(AsFd::as_fd)
    }

    /// Reads whether it was executed; `ended` when the process has. `None` when that is not known yet, or has been
    /// told before.
    pub fn take_report(&mut self, ended: bool) -> Option<Result<(), Failure>> {
        let incoming = self.report.as_mut()?;
        let report = match incoming.collect(false) {
            Some(report) => report,
            None if !ended => return None,
            // What ended was what makes the program's process, and that lives on.
            None => match incoming.created().filter(|pid| *pid != self.process.pid) {
                Some(pid) => {
                    self.take_over(pid);
                    return None;
                }
                None => incoming.collect(true)?,
            },
        };
        self.report = None;
        if let Some(pid) = report.created {
            self.take_over(pid);
        }
        Some(report.failure.map_or(Ok(()), Err))
    }

    /// The program's process is known now.
    fn take_over(&mut self, pid: i32) {
        if pid == self.process.pid {
            return;
        }
        self.process.pid = pid;
        if let Ok(pidfd) = pidfd::open(pid) {
            self.process.pidfd = pidfd;
        }
    }

    /// Ends it.
    pub fn kill(&mut self) {
        // It may have ended by now.
        let _ = pidfd::send_signal(&self.process.pidfd, libc::SIGKILL);
        // What was killed may have made the program's process before.
        if let Some(pid) = self.report.as_mut().and_then(Incoming::created).filter(|pid| *pid != self.process.pid) {
            self.take_over(pid);
            let _ = pidfd::send_signal(&self.process.pidfd, libc::SIGKILL);
        }
    }

    /// Its caller has gone.
    pub fn hang_up(&mut self) {
        if !self.detach {
            self.kill();
        }
    }
}

impl Drop for Execution {
    /// One that has not come to its program yet is not in the container, and so does not end with it.
    fn drop(&mut self) {
        if self.report.is_some() {
            self.kill();
        }
    }
}
