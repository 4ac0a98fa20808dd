//! Lines and descriptors over a Unix stream socket, the same on both sides.

use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::sys::fd_passing::{self, MAX_FDS};
use nix::errno::Errno;
use nix::sys::socket::MsgFlags;
use serde::Serialize;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Longest line that is accepted: far above any real message, so that no peer can fill our memory.
const LONGEST_LINE: usize = 4 << 20;
/// Most descriptors that wait to be taken.
const MOST_FDS: usize = 4096;

/// One end of a connection.
#[derive(Debug)]
pub struct Channel {
    socket: OwnedFd,
    buffer: Vec<u8>,
    fds: Vec<OwnedFd>,
    ended: bool,
}

impl Channel {
    /// Takes over a connected stream socket.
    pub fn new(socket: OwnedFd) -> Self {
        Self { socket, buffer: Vec::new(), fds: Vec::new(), ended: false }
    }

    /// Sends one message with descriptors. Waits for room in the socket.
    pub fn send(&self, message: &impl Serialize, fds: &[BorrowedFd<'_>]) -> Result<()> {
        self.send_with(message, fds, MsgFlags::empty())
    }

    /// Sends one message; fails instead of waiting when the peer does not read.
    pub fn send_now(&self, message: &impl Serialize) -> Result<()> {
        self.send_now_with(message, &[])
    }

    /// The same, with descriptors.
    pub fn send_now_with(&self, message: &impl Serialize, fds: &[BorrowedFd<'_>]) -> Result<()> {
        self.send_with(message, fds, MsgFlags::MSG_DONTWAIT)
    }

    fn send_with(&self, message: &impl Serialize, fds: &[BorrowedFd<'_>], flags: MsgFlags) -> Result<()> {
        let mut line = serde_json::to_vec(message)
            .map_err(|error| Error::new(ErrorKind::Io, format!("cannot write a message: {error}")))?;
        line.push(b'\n');
        // Descriptors that do not fit into one message go ahead with spaces, which JSON ignores.
        let mut rest = fds;
        while rest.len() > MAX_FDS {
            self.send_bytes(b" ", &rest[..MAX_FDS], flags)?;
            rest = &rest[MAX_FDS..];
        }
        self.send_bytes(&line, rest, flags)
    }

    fn send_bytes(&self, mut bytes: &[u8], mut fds: &[BorrowedFd<'_>], flags: MsgFlags) -> Result<()> {
        while !bytes.is_empty() {
            match fd_passing::send(self.socket.as_fd(), bytes, fds, flags) {
                Ok(sent) => {
                    bytes = &bytes[sent..];
                    fds = &[];
                }
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno).doing(|| "cannot talk to the monitor"),
            }
        }
        Ok(())
    }

    /// Reads what is there without waiting; `false` once the other side has hung up.
    pub fn fill(&mut self) -> Result<bool> {
        let mut chunk = [0u8; 2048];
        while !self.ended {
            match fd_passing::receive(self.socket.as_fd(), &mut chunk, &mut self.fds, MsgFlags::MSG_DONTWAIT) {
                Ok(0) | Err(Errno::ECONNRESET) => self.ended = true,
                Ok(length) => self.buffer.extend_from_slice(&chunk[..length]),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => break,
                Err(errno) => return Err(errno).doing(|| "cannot read from the monitor's socket"),
            }
            if self.buffer.len() > LONGEST_LINE || self.fds.len() > MOST_FDS {
                return Err(Error::invalid("a message to a monitor is too long"));
            }
        }
        Ok(!self.ended)
    }

    /// The next whole line that has been read.
    pub fn next_line(&mut self) -> Option<Vec<u8>> {
        let end = self.buffer.iter().position(|byte| *byte == b'\n')?;
        let rest = self.buffer.split_off(end + 1);
        let mut line = std::mem::replace(&mut self.buffer, rest);
        line.pop();
        Some(line)
    }

    /// Whether [`Self::next_line`] has one.
    pub fn has_line(&self) -> bool {
        self.buffer.contains(&b'\n')
    }

    /// The descriptors that have come and were not taken yet.
    pub fn take_fds(&mut self) -> Vec<OwnedFd> {
        std::mem::take(&mut self.fds)
    }

    /// Gives the connection up: the other side does not keep to the protocol.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// Whether the other side has hung up.
    pub fn has_ended(&self) -> bool {
        self.ended
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
