//! The output of the container on its way into the log.

use super::log::{Log, Pending};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// So much is read at a time, on the stack, as long as no more comes.
pub const LITTLE: usize = 4 << 10;
/// And so much from a program that writes faster: the default size of a pipe.
const MUCH: usize = 64 << 10;
/// Size of the pipe of such a program. Not more: what is in it at the program's end has to fit into the pipe of who is
/// attached.
const LARGE_PIPE: i32 = 256 << 10;
/// Most that is read before something else has its turn.
const TURN: usize = 512 << 10;

/// Who sees output as it comes, if anybody.
pub type Show<'a> = Option<&'a mut dyn FnMut(&[u8])>;

/// The reading end of one of its pipes.
pub struct Output {
    pipe: Option<OwnedFd>,
    pending: Pending,
    /// The pipe was made as large as it gets.
    is_large: bool,
}

impl Output {
    /// Takes the reading end of the pipe for `stdout` or `stderr`.
    pub fn new(pipe: OwnedFd, stream: &'static str) -> nix::Result<Self> {
        fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(Self { pipe: Some(pipe), ..Self::silent(stream) })
    }

    /// A stream that nothing is written to.
    pub fn silent(stream: &'static str) -> Self {
        Self { pipe: None, pending: Pending::new(stream), is_large: false }
    }

    /// What to poll, until the stream has ended.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    /// Reads what is there into the log, a turn's worth at most; `show` sees each piece, and wants small ones. Tells how
    /// much it was.
    pub fn read_into(&mut self, log: &mut Log, show: &mut Show<'_>) -> usize {
        let mut little = [0; LITTLE];
        let mut total = self.read(&mut little, log, show);
        if total < LITTLE || show.is_some() {
            return total;
        }
        let mut much = vec![0; MUCH];
        while total < TURN {
            let length = self.read(&mut much, log, show);
            total += length;
            if length < MUCH {
                break;
            }
            self.enlarge();
        }
        total
    }

    /// Reads all that is left of a program that has ended. Processes that outlive it may go on writing: that is not
    /// waited for.
    pub fn drain_into(&mut self, log: &mut Log, show: &mut Show<'_>) {
        let mut left = self.capacity();
        while left > 0 {
            match self.read_into(log, show) {
                0 => break,
                length => left = left.saturating_sub(length),
            }
        }
        log.finish(&mut self.pending);
    }

    /// Reads once; 0 when there is nothing, or nothing any more.
    fn read(&mut self, buffer: &mut [u8], log: &mut Log, show: &mut Show<'_>) -> usize {
        loop {
            let Some(pipe) = &self.pipe else { return 0 };
            match read(pipe, buffer) {
                // The other end of a terminal is gone: its end.
                Ok(0) | Err(Errno::EIO) => {
                    log.finish(&mut self.pending);
                    self.pipe = None;
                }
                Ok(length) => {
                    log.output(&mut self.pending, &buffer[..length]);
                    if let Some(show) = show {
                        show(&buffer[..length]);
                    }
                    return length;
                }
                Err(Errno::EINTR) => {}
                Err(_) => return 0,
            }
        }
    }

    /// Fewer, larger reads for a program that fills its pipe.
    fn enlarge(&mut self) {
        if let (Some(pipe), false) = (&self.pipe, self.is_large) {
            // Who has too many large pipes keeps a small one, and a terminal is none.
            let _ = fcntl(pipe, FcntlArg::F_SETPIPE_SZ(LARGE_PIPE));
            self.is_large = true;
        }
    }

    /// The most that can wait to be read.
    fn capacity(&self) -> usize {
        let Some(pipe) = &self.pipe else { return 0 };
        // A terminal does not say, and holds less.
        let size = fcntl(pipe, FcntlArg::F_GETPIPE_SZ).unwrap_or(LARGE_PIPE);
        size as usize
    }
}
