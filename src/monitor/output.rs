//! The output of the container on its way into the log.

use super::log::{Log, Pending};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The reading end of one of its pipes.
pub struct Output {
    pipe: Option<OwnedFd>,
    pending: Pending,
}

impl Output {
    /// Takes the reading end of the pipe for `stdout` or `stderr`.
    pub fn new(pipe: OwnedFd, stream: &'static str) -> nix::Result<Self> {
        fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(Self { pipe: Some(pipe), pending: Pending::new(stream) })
    }

    /// A stream that nothing is written to.
    pub fn silent(stream: &'static str) -> Self {
        Self { pipe: None, pending: Pending::new(stream) }
    }

    /// What to poll, until the stream has ended.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    /// Reads once what is there, and shows it. Tells whether there may be more.
    pub fn read_into(&mut self, log: &mut Log, show: &mut dyn FnMut(&[u8])) -> bool {
        let Some(pipe) = &self.pipe else { return false };
        let mut buffer = [0u8; 8192];
        match read(pipe, &mut buffer) {
            // The other end of a terminal is gone: its end.
            Ok(0) | Err(Errno::EIO) => {
                log.finish(&mut self.pending);
                self.pipe = None;
                false
            }
            Ok(length) => {
                log.output(&mut self.pending, &buffer[..length]);
                show(&buffer[..length]);
                true
            }
            Err(Errno::EINTR) => true,
            Err(_) => false,
        }
    }

    /// Reads all that is left of a program that has ended.
    pub fn drain_into(&mut self, log: &mut Log, show: &mut dyn FnMut(&[u8])) {
        while self.read_into(log, show) {}
        log.finish(&mut self.pending);
    }
}
