//! Ending the container: by its stop signal and KILL after a time, or by any signal.

use super::timers::Timers;
use super::watch::Monitor;
use crate::error::{Error, Result};
use crate::sys::pidfd;
use nix::errno::Errno;
use std::time::Duration;

impl Monitor {
    /// Sends the stop signal, and KILL after the time.
    pub fn stop(&mut self, timeout: Duration) {
        self.kill_container(self.container.launch.stop_signal);
        let kill = Timers::after(timeout);
        self.timers.kill = Some(self.timers.kill.map_or(kill, |earlier| earlier.min(kill)));
    }

    /// Sends a signal to the first process. A paused container goes on to get it, as in Docker.
    pub fn signal(&mut self, number: i32) -> Result<()> {
        let Some(init) = &self.container.init else { return Ok(()) };
        match pidfd::send_signal(&init.pidfd, number) {
            // It has ended, and is reaped in the next turn.
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(errno) => return Err(Error::conflict(format!("cannot send signal {number}: {}", errno.desc()))),
        }
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
