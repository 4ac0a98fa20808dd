//! Waiting for a program with the terminal and the signals of the caller.

use crate::context::Context;
use crate::error::{IoContext, Result};
use crate::model::DetachKeys;
use crate::runtime::terminal::receive_master;
use crate::sys::clone::Child;
use crate::sys::pidfd;
use crate::sys::session::{Remote, join};
use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::os::fd::{AsFd, OwnedFd};

/// A process that waits: signals are kept for the program from now on.
#[derive(Debug)]
pub struct Foreground {
    signals: SigSet,
}

impl Foreground {
    /// To be made before the program is: a signal that comes meanwhile is not lost.
    pub fn new() -> Result<Self> {
        let doing = || "cannot wait for the program";
        // What the first process leaves behind comes to us, and not to whoever called us.
        prctl::set_child_subreaper(true).doing(doing)?;
        let mut signals = SigSet::empty();
        for signal in Signal::iterator() {
            // Those that tell of our own faults stay deadly.
            if ![Signal::SIGSEGV, Signal::SIGBUS, Signal::SIGFPE, Signal::SIGILL, Signal::SIGABRT].contains(&signal) {
                signals.add(signal);
            }
        }
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&signals), None).doing(doing)?;
        Ok(Self { signals })
    }

    /// Waits for the end of the program; gives its exit code, as a shell counts it.
    pub fn wait(&self, child: &Child, master: Option<OwnedFd>) -> Result<u8> {
        if let Some(socket) = master {
            self.sit_at(child, &socket)?;
        }
        loop {
            if let Some(code) = reap(child.pid)? {
                return Ok(code);
            }
            match self.signals.wait().doing(|| "cannot wait for signals")? {
                Signal::SIGCHLD => {}
                // It may have ended just now.
                signal => drop(pidfd::send_signal(&child.pidfd, signal as i32)),
            }
        }
    }

    /// At the other end of its terminal.
    fn sit_at(&self, child: &Child, socket: &OwnedFd) -> Result<()> {
        let doing = || "cannot use the terminal of the program";
        let terminal = receive_master(socket.as_fd())?;
        let remote = Remote {
            input: Some(terminal.try_clone().doing(doing)?),
            outputs: [Some(terminal.try_clone().doing(doing)?), None],
            terminal: Some(terminal),
        };
        // The window's size and the end of the terminal are told by signals.
        sigprocmask(SigmaskHow::SIG_UNBLOCK, Some(&self.signals), None).doing(doing)?;
        let no_keys: DetachKeys = "".parse()?;
        join(&Context::background(), remote, Some(child.pidfd.as_fd()), &no_keys).map(drop)
    }
}

/// Takes all that has ended; the code of `pid` when it is among that.
fn reap(pid: i32) -> Result<Option<u8>> {
    loop {
        let (ended, code) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(ended, code)) => (ended, code),
            Ok(WaitStatus::Signaled(ended, signal, _)) => (ended, 128 + signal as i32),
            Ok(WaitStatus::StillAlive) => return Ok(None),
            Err(Errno::EINTR) | Ok(_) => continue,
            Err(errno) => return Err(errno).doing(|| "cannot wait for the program"),
        };
        if ended == Pid::from_raw(pid) {
            return Ok(Some(u8::try_from(code).unwrap_or(u8::MAX)));
        }
    }
}
