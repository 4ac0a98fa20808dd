//! Processes by descriptor: a pid can be reused, a pidfd cannot (pidfd_open(2)).
#![allow(unsafe_code)]

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

/// A descriptor of a process; readable once it has ended.
pub fn open(pid: i32) -> nix::Result<OwnedFd> {
    // SAFETY: no memory is passed.
    let fd = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    // SAFETY: the kernel has just made this descriptor, and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Sends a signal to exactly this process.
pub fn send_signal(pidfd: impl AsFd, signal: i32) -> nix::Result<()> {
    let raw = pidfd.as_fd().as_raw_fd();
    // SAFETY: a null `siginfo` is allowed: the kernel fills in what kill(2) would.
    let result =
        unsafe { libc::syscall(libc::SYS_pidfd_send_signal, raw, signal, std::ptr::null::<libc::siginfo_t>(), 0) };
    Errno::result(result).map(drop)
}

/// Whether the process has ended.
pub fn has_ended(pidfd: impl AsFd) -> bool {
    let mut fds = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
    matches!(poll(&mut fds, PollTimeout::ZERO), Ok(1))
}
