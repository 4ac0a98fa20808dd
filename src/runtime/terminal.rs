//! The terminal of a program in a container, out of the container's own `/dev/pts`.

use super::rootfs::{Missing, Root};
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::model::WindowSize;
use crate::sys::mount::{attach, clone_tree};
use crate::sys::{fd_passing, pty};
use nix::fcntl::OFlag;
use nix::sys::socket::MsgFlags;
use nix::sys::statfs::{FsType, fstatfs};
use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// `DEVPTS_SUPER_MAGIC` of the kernel's magic.h.
const DEVPTS: FsType = FsType(0x1cd1);

/// Where a terminal's master goes.
#[derive(Debug)]
pub struct Console {
    /// A connected socket: the master is sent over it, as to runc's `--console-socket`.
    pub socket: OwnedFd,
    /// Its size at first.
    pub size: Option<WindowSize>,
}

impl Console {
    /// Opens a terminal, makes it this process's input and output, and sends its master away. With `device` it becomes
    /// `/dev/console` as well. [`Self::take_control`] follows.
    pub fn open(&self, root: &Root, device: bool) -> Result<()> {
        let doing = || "cannot open a terminal in the container";
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY;
        let master = root.open_without_links(Path::new("/dev/pts/ptmx"), flags).doing(doing)?;
        // By its own file system, not by its name: something else may have been mounted there (CVE-2025-52565).
        if fstatfs(&master).doing(doing)?.filesystem_type() != DEVPTS {
            return Err(Error::new(ErrorKind::Denied, "`/dev/pts/ptmx` of the container is no terminal")
                .hint("mount nothing over `/dev/pts`"));
        }
        pty::unlock(&master).doing(doing)?;
        let slave = pty::slave(&master).doing(doing)?;
        if let Some(size) = self.size {
            pty::set_size(&master, size).doing(doing)?;
        }
        if device {
            let place = root.open_or_create(Path::new("/dev/console"), Missing::File)?;
            let tree = clone_tree(slave.as_fd(), Path::new(""), false).doing(|| "cannot make `/dev/console`")?;
            attach(&tree, &place).doing(|| "cannot make `/dev/console`")?;
        }
        dup2_stdin(&slave).doing(doing)?;
        dup2_stdout(&slave).doing(doing)?;
        dup2_stderr(&slave).doing(doing)?;
        fd_passing::send(self.socket.as_fd(), b"/dev/ptmx", &[master.as_fd()], MsgFlags::empty())
            .doing(|| "cannot hand the terminal over")?;
        Ok(())
    }
}

impl Console {
    /// Makes the terminal at the input the controlling one. The process leads a session.
    pub fn take_control(&self) -> Result<()> {
        pty::take_control(std::io::stdin()).doing(|| "cannot take the terminal over")
    }
}

/// Receives the master that [`Console::open`] has sent. It does not block.
pub fn receive_master(socket: BorrowedFd<'_>) -> Result<OwnedFd> {
    let doing = || "cannot take the terminal over";
    let (mut text, mut fds) = ([0; 4096], Vec::new());
    fd_passing::receive(socket, &mut text, &mut fds, MsgFlags::MSG_DONTWAIT).doing(doing)?;
    let master = fds.pop().ok_or_else(|| Error::new(ErrorKind::Io, format!("{}: none was sent", doing())))?;
    nix::fcntl::fcntl(&master, nix::fcntl::FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).doing(doing)?;
    Ok(master)
}
