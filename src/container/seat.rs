//! The caller's side of a program that a person works with: a terminal where they sit at one, else pipes.

use crate::error::{IoContext, Result};
use crate::model::WindowSize;
use crate::runtime::terminal::receive_master;
use crate::sys::session::{Remote, terminal_size};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::unistd::pipe2;
use std::os::fd::{AsFd, OwnedFd};

/// The caller's ends.
pub enum Seat {
    /// The master of a terminal comes over this socket.
    Terminal(OwnedFd, WindowSize),
    /// Pipes.
    Pipes(Remote),
}

impl Seat {
    /// A terminal when this process is used at one. The second are the program's ends: a socket or three pipes.
    pub fn take() -> Result<(Self, Vec<OwnedFd>)> {
        if let Some(size) = terminal_size() {
            let (ours, theirs) = console()?;
            Ok((Self::Terminal(ours, size), vec![theirs]))
        } else {
            let (output, output_write) = pipe()?;
            let (error, error_write) = pipe()?;
            let (input_read, input) = pipe()?;
            for ours in [&output, &error, &input] {
                not_blocking(ours)?;
            }
            let remote = Remote { input: Some(input), outputs: [Some(output), Some(error)], terminal: None };
            Ok((Self::Pipes(remote), vec![input_read, output_write, error_write]))
        }
    }

    /// Size of the terminal; `None` for pipes.
    pub fn size(&self) -> Option<WindowSize> {
        match self {
            Self::Terminal(_, size) => Some(*size),
            Self::Pipes(_) => None,
        }
    }

    /// The ends to work with, once the program was executed.
    pub fn remote(self) -> Result<Remote> {
        match self {
            Self::Pipes(remote) => Ok(remote),
            Self::Terminal(socket, _) => remote_of(receive_master(socket.as_fd())?),
        }
    }
}

/// All of a terminal's uses by its master.
pub fn remote_of(master: OwnedFd) -> Result<Remote> {
    let again = || master.try_clone().doing(|| "cannot take the terminal over");
    Ok(Remote { input: Some(again()?), outputs: [Some(again()?), None], terminal: Some(master) })
}

/// The socket that a terminal's master comes over, and the end to send along.
pub fn console() -> Result<(OwnedFd, OwnedFd)> {
    socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)
        .doing(|| "cannot make a socket pair")
}

/// A pipe: where to read, where to write.
pub fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    pipe2(OFlag::O_CLOEXEC).doing(|| "cannot make a pipe")
}

/// Reads and writes of it return instead of waiting.
pub fn not_blocking(fd: &OwnedFd) -> Result<()> {
    fcntl(fd, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map(drop).doing(|| "cannot set up a pipe")
}
