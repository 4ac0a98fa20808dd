//! Ending the container: by its stop signal and KILL after a time, or by any signal.

use super::timers::Timers;
use super::watch::{Life, Monitor};
use crate::error::{Error, Result};
use crate::sys::pidfd;
use nix::errno::Errno;
use std::time::Duration;

impl Monitor {
    /// Sends the stop signal, and KILL after the time.
    pub fn stop(&mut self, timeout: Duration) {
        self.stop_was_asked();
        self.end_by_hand(self.container.launch.stop_signal);
        let kill = Timers::after(timeout);
        self.timers.kill = Some(self.timers.kill.map_or(kill, |earlier| earlier.min(kill)));
    }

    /// Sends a signal that is to end it for good: no policy starts it again.
    pub fn end_by_hand(&mut self, number: i32) {
        self.restarts.by_hand = true;
        match self.life {
            Life::Waiting => {
                self.timers.restart = None;
                self.container_ended(self.container.state.exit_code.unwrap_or_default());
            }
            // Nothing but KILL reaches a first process that has not come to its program.
            Life::Starting => self.kill_container(libc::SIGKILL),
            _ => self.kill_container(number),
        }
        if self.life != Life::Ended && self.restarts.has_policy() {
            // Should this monitor be killed before the end, nobody else starts it again.
            self.container.state.stopped = true;
            self.set_phase(self.container.state.phase);
        }
    }

    /// A signal that somebody wants sent. Like Docker's, one that ends it ends it for good.
    pub fn signal_by_hand(&mut self, number: i32) -> Result<()> {
        if number == libc::SIGKILL || number == self.container.launch.stop_signal {
            self.end_by_hand(number);
            return Ok(());
        }
        match self.life {
            Life::Waiting | Life::Starting => Err(is_restarting()),
            _ => self.signal(number),
        }
    }

    /// Sends a signal to the first process. A paused container goes on to get it, as in Docker.
    pub fn signal(&mut self, number: i32) -> Result<()> {
        let Some(init) = &self.container.init else { return Ok(()) };
        match pidfd::send_signal(&init.pidfd, number) {
            // It has ended, and is reaped in the next turn.
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(errno) => return Err(Error::conflict(format!("cannot send signal {number}: {}", errno.desc()))),
        }
        self.happened("kill", &[("signal", &number.to_string())]);
        if self.is_frozen() {
            self.thaw()?;
        }
        Ok(())
    }

    /// The same where nobody is there to be told of a failure.
    pub fn kill_container(&mut self, number: i32) {
        let _ = self.signal(number);
    }
}

/// What needs a program does not find one.
pub(super) fn is_restarting() -> Error {
    Error::conflict("the container is restarting").hint("wait until it runs, or end it with `stop()`")
}
