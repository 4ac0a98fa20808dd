//! fork(2) for processes of one thread.
#![allow(unsafe_code)]

use crate::error::{Error, ErrorKind, IoContext, Result};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{ForkResult, Pid, fork};
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// How long a thread that has returned may take to be gone.
const ENDING: Duration = Duration::from_millis(50);
const STEP: Duration = Duration::from_micros(100);

/// Runs `child` in a child process, which exits with the code it gives and is killed when this
/// process ends.
///
/// # Errors
/// `unsupported` in a process with several threads: only the calling one would be there in the child,
/// and the locks of the others would stay locked.
pub fn fork_single_threaded(child: impl FnOnce() -> i32) -> Result<Pid> {
    let started = Instant::now();
    loop {
        let path = "/proc/self/task";
        match fs::read_dir(path).doing(|| format!("cannot read `{path}`"))?.count() {
            1 => break,
            // One that was joined is there for a moment more.
            _ if started.elapsed() < ENDING => thread::sleep(STEP),
            threads => {
                return Err(Error::new(ErrorKind::Unsupported, format!("cannot fork a process of {threads} threads")));
            }
        }
    }
    let parent = Pid::this();
    // SAFETY: there is no other thread, so nothing in the child is in the middle of a change.
    match unsafe { fork() }.doing(|| "cannot fork")? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => {
            let armed = prctl::set_pdeathsig(Signal::SIGKILL);
            // The parent may have ended before that.
            let code = if armed.is_ok() && Pid::parent() == parent { child() } else { 1 };
            // SAFETY: `_exit` has no precondition; destructors of the parent's values must not run here.
            unsafe { libc::_exit(code) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_of_several_threads_is_not_forked() {
        // The test runner's main thread is there beside this one.
        let error = fork_single_threaded(|| 0).unwrap_err();
        assert!(error.is(ErrorKind::Unsupported), "{error:?}");
    }
}
