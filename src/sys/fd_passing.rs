//! Descriptors that travel over a Unix socket (unix(7), `SCM_RIGHTS`), and who is at its other end.
#![allow(unsafe_code)]

use nix::cmsg_space;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, UnixAddr, UnixCredentials, accept4, getsockopt, recvmsg,
    sendmsg, sockopt,
};
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Most descriptors that one message carries: the kernel's `SCM_MAX_FD`.
pub const MAX_FDS: usize = 253;

/// Sends bytes and descriptors; returns how many bytes went. Never raises `SIGPIPE`.
pub fn send(socket: impl AsRawFd, bytes: &[u8], fds: &[BorrowedFd<'_>], flags: MsgFlags) -> nix::Result<usize> {
    let raw: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let control: &[ControlMessage<'_>] = if raw.is_empty() { &[] } else { &rights };
    sendmsg::<UnixAddr>(socket.as_raw_fd(), &[IoSlice::new(bytes)], control, flags | MsgFlags::MSG_NOSIGNAL, None)
}

/// Receives bytes into `buffer` and descriptors (close-on-exec) into `fds`; returns how many bytes
/// came, 0 at the end.
pub fn receive(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    fds: &mut Vec<OwnedFd>,
    flags: MsgFlags,
) -> nix::Result<usize> {
    let mut space = cmsg_space!([RawFd; MAX_FDS]);
    let mut parts = [IoSliceMut::new(buffer)];
    let message =
        recvmsg::<UnixAddr>(socket.as_raw_fd(), &mut parts, Some(&mut space), flags | MsgFlags::MSG_CMSG_CLOEXEC)?;
    for control in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(raw) = control {
            // SAFETY: the kernel has just installed these descriptors in this process, and nothing
            // else knows of them.
            fds.extend(raw.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
        }
    }
    Ok(message.bytes)
}

/// Accepts a connection, close-on-exec and not blocking.
pub fn accept(listener: impl AsFd) -> nix::Result<OwnedFd> {
    let fd = accept4(listener.as_fd().as_raw_fd(), SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK)?;
    // SAFETY: the kernel has just made this descriptor, and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Process, user and group that connected the other end (`SO_PEERCRED`).
pub fn peer(socket: impl AsFd) -> nix::Result<UnixCredentials> {
    getsockopt(&socket, sockopt::PeerCredentials)
}
