//! Pipes (pipe(7)).
#![allow(unsafe_code)]

use nix::errno::Errno;
use std::os::fd::{AsFd, AsRawFd};

/// How many bytes have been written to a pipe and were not read yet.
pub fn waiting(pipe: impl AsFd) -> nix::Result<usize> {
    let mut count: libc::c_int = 0;
    // SAFETY: FIONREAD writes one int.
    Errno::result(unsafe { libc::ioctl(pipe.as_fd().as_raw_fd(), libc::FIONREAD, &raw mut count) })?;
    Ok(usize::try_from(count).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_know_what_waits() {
        let (read, write) = nix::unistd::pipe().unwrap();
        assert_eq!(waiting(&write), Ok(0));
        nix::unistd::write(&write, b"four").unwrap();
        assert_eq!((waiting(&read), waiting(&write)), (Ok(4), Ok(4)));
    }
}
