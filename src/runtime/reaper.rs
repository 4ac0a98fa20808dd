//! The init of a container (`init: true`): process 1 stays ours, starts the program, forwards signals to it, reaps what
//! is orphaned, and ends as the program ends.
//!
//! It is no other program: nothing of ours has to be in the container's root, and nothing of it can be overwritten from
//! there. It runs with the rights of the program, and what it remembers cannot be read.

use super::control::protocol::Failure;
use super::program::Program;
use super::report::Reporter;
use crate::error::{IoContext, Result};
use crate::sys::clone::{exit_now, spawn_filtered};
use crate::sys::close_range::close_all_but;
use nix::errno::Errno;
use nix::sched::CloneFlags;
use nix::sys::prctl;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, sigprocmask};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpid, isatty, setpgid, tcsetpgrp};
use std::convert::Infallible;

/// Takes the rights away and becomes the init of the program. Returns why it could not.
pub fn run(program: &Program, die_with: Option<Signal>, reporter: &Reporter) -> Result<Infallible> {
    program.drop_rights(die_with)?;
    let doing = || "cannot become the init of the container";
    prctl::set_dumpable(false).doing(doing)?;
    prctl::set_child_subreaper(true).doing(doing)?;
    prctl::set_name(c"shanty-init").doing(doing)?;
    // Before the program is there: none of its signals is missed. Blocked ones reach process 1, too, which other ones
    // without a handler do not (pid_namespaces(7)).
    let signals = signals();
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&signals), None).doing(doing)?;
    let child = spawn_filtered(CloneFlags::empty(), || {
        let failure = Failure::of("executing the program", &start(program));
        reporter.failure(&failure);
        failure.code.unwrap_or(1)
    })
    .doing(|| "cannot make the process of the program")?;
    // The report's end must be the program's.
    close_all_but(&[]).doing(doing)?;
    exit_now(serve(Pid::from_raw(child), &signals))
}

/// The child: in a process group of its own, so that a terminal's signals reach it alone.
fn start(program: &Program) -> crate::error::Error {
    let doing = || "cannot prepare the process of the program";
    let prepared = setpgid(Pid::from_raw(0), Pid::from_raw(0)).doing(doing).and_then(|()| {
        if isatty(std::io::stdin()) == Ok(true) {
            // SIGTTOU is blocked still, which this would cause. It fails when the terminal is not this session's.
            let _ = tcsetpgrp(std::io::stdin(), getpid());
        }
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None).doing(doing)
    });
    match prepared {
        Ok(()) => program.exec(),
        Err(error) => error,
    }
}

/// All but those that a fault of our own would cause.
fn signals() -> SigSet {
    let mut signals = SigSet::all();
    for own in [
        Signal::SIGFPE,
        Signal::SIGILL,
        Signal::SIGSEGV,
        Signal::SIGBUS,
        Signal::SIGABRT,
        Signal::SIGTRAP,
        Signal::SIGSYS,
    ] {
        signals.remove(own);
    }
    signals
}

/// Forwards and reaps until the program has ended; gives its exit code.
fn serve(program: Pid, signals: &SigSet) -> i32 {
    loop {
        match signals.wait() {
            // Several children may share one signal.
            Ok(Signal::SIGCHLD) => {
                if let Some(code) = reap(program) {
                    return code;
                }
            }
            Ok(signal) if !matches!(signal, Signal::SIGTTIN | Signal::SIGTTOU) => {
                // It may have ended just now.
                let _ = kill(program, signal);
            }
            // A terminal's, for who uses it from the background, which is us; a real-time signal, which has no name here;
            // an interruption.
            _ => {}
        }
    }
}

fn reap(program: Pid) -> Option<i32> {
    let mut code = None;
    loop {
        match waitpid(Pid::from_raw(-1), Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, exit)) if pid == program => code = Some(exit),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == program => code = Some(128 + signal as i32),
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return code,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return code,
        }
    }
}
