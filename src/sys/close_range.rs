//! Descriptors that nobody knows of must not reach a container (close_range(2)).
#![allow(unsafe_code)]

use nix::errno::Errno;
use std::os::fd::RawFd;

const CLOSE_RANGE_CLOEXEC: u32 = 4;

/// Marks every descriptor from `first` on close-on-exec.
pub fn close_on_exec_from(first: RawFd) -> nix::Result<()> {
    // SAFETY: no memory is passed, and no descriptor is closed now.
    Errno::result(unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, CLOSE_RANGE_CLOEXEC) }).map(drop)
}

/// Closes every descriptor from 3 on but those in `keep`.
///
/// For a process that is about to execute a program: owners of the closed ones must not be used again.
pub fn close_all_but(keep: &[RawFd]) -> nix::Result<()> {
    let mut keep: Vec<RawFd> = keep.iter().copied().filter(|fd| *fd >= 3).collect();
    keep.sort_unstable();
    let mut first: RawFd = 3;
    for fd in keep {
        if first < fd {
            close(first, fd - 1)?;
        }
        first = fd + 1;
    }
    close(first, RawFd::MAX)
}

fn close(first: RawFd, last: RawFd) -> nix::Result<()> {
    // SAFETY: no memory is passed. The caller gives up the owners of these descriptors.
    Errno::result(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) }).map(drop)
}
