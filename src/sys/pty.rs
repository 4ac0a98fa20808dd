//! Pseudo-terminals (pts(4), ioctl_tty(2)): both ends by descriptor, so that no path of a container is believed.
#![allow(unsafe_code)]

use crate::model::WindowSize;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

/// Lets the slave of this master be opened.
pub fn unlock(master: impl AsFd) -> nix::Result<()> {
    let locked: libc::c_int = 0;
    // SAFETY: TIOCSPTLCK reads one int.
    Errno::result(unsafe { libc::ioctl(master.as_fd().as_raw_fd(), libc::TIOCSPTLCK, &raw const locked) }).map(drop)
}

/// The slave of this master, whatever is mounted where its name leads to (Linux 4.13).
pub fn slave(master: impl AsFd) -> nix::Result<OwnedFd> {
    let flags = (OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).bits();
    // SAFETY: TIOCGPTPEER takes its flags as the argument itself.
    let fd = Errno::result(unsafe { libc::ioctl(master.as_fd().as_raw_fd(), libc::TIOCGPTPEER, flags) })?;
    // SAFETY: the kernel has just made this descriptor, and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Makes the terminal the controlling one of this session.
pub fn take_control(slave: impl AsFd) -> nix::Result<()> {
    // SAFETY: TIOCSCTTY takes a number: 0 does not steal it from another session.
    Errno::result(unsafe { libc::ioctl(slave.as_fd().as_raw_fd(), libc::TIOCSCTTY, 0) }).map(drop)
}

/// Sets the size; the programs in the foreground get SIGWINCH.
pub fn set_size(terminal: impl AsFd, size: WindowSize) -> nix::Result<()> {
    let size = libc::winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCSWINSZ reads one winsize.
    Errno::result(unsafe { libc::ioctl(terminal.as_fd().as_raw_fd(), libc::TIOCSWINSZ, &raw const size) }).map(drop)
}

/// The size of a terminal; fails with `ENOTTY` on anything else.
pub fn size(terminal: impl AsFd) -> nix::Result<WindowSize> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCGWINSZ writes one winsize.
    Errno::result(unsafe { libc::ioctl(terminal.as_fd().as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) })?;
    Ok(WindowSize { rows: size.ws_row, columns: size.ws_col })
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::pty::{grantpt, posix_openpt};

    #[test]
    fn both_ends_see_one_size() {
        let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlock(&master).unwrap();
        let slave = slave(&master).unwrap();
        let wanted = WindowSize { rows: 7, columns: 31 };
        set_size(&master, wanted).unwrap();
        assert_eq!(size(&slave), Ok(wanted));
        assert_eq!(size(std::fs::File::open("/dev/null").unwrap()), Err(Errno::ENOTTY));
    }
}
