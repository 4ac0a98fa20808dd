//! A netlink socket: requests out, replies and refusals back.
#![allow(unsafe_code)]

use super::message::{Reply, Request, attribute, replies, u32_at};
use crate::error::{Error, ErrorKind, IoContext, Result, errno_text};
use libc::{NLM_F_ACK_TLVS, NLM_F_CAPPED, NLMSG_DONE, NLMSG_ERROR};
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};
use std::fmt::Display;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// The text of an extended acknowledgement (`NLMSGERR_ATTR_MSG`).
const ERROR_TEXT: u16 = 1;
/// The kernel never makes a dump's datagram longer (`NLMSG_GOODSIZE` and its callers' limits).
const RECEIVE_BUFFER: usize = 64 * 1024;

/// A netlink socket of the network namespace that the thread was in when it was opened.
pub struct NetlinkSocket {
    fd: OwnedFd,
    buffer: Vec<u8>,
}

/// The kernel refused a message.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Why.
    pub errno: Errno,
    /// What the kernel says about it, where it says more than the number.
    pub detail: Option<String>,
    /// Which message of the request it was, from 1.
    pub message: u32,
}

impl Refusal {
    /// A failure that was not about a message.
    pub fn of(errno: Errno) -> Self {
        Self { errno, detail: None, message: 0 }
    }

    /// The error of what was being done.
    pub fn doing(self, doing: impl Display) -> Error {
        let kind = match self.errno {
            Errno::EPERM | Errno::EACCES => ErrorKind::Denied,
            _ => ErrorKind::Io,
        };
        let reason = errno_text(&io::Error::from(self.errno));
        match self.detail {
            Some(detail) => Error::new(kind, format!("{doing}: {reason} (the kernel says: {detail})")),
            None => Error::new(kind, format!("{doing}: {reason}")),
        }
    }
}

impl NetlinkSocket {
    /// Opens a socket of a family, such as [`SockProtocol::NetlinkRoute`].
    pub fn open(family: SockProtocol) -> Result<Self> {
        let fd = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, family)
            .doing(|| "cannot open a netlink socket")?;
        // Extended texts, and errors without a copy of what was sent. Both are best effort.
        for option in [libc::NETLINK_EXT_ACK, libc::NETLINK_CAP_ACK] {
            let on: libc::c_int = 1;
            // SAFETY: the value is a valid `int` for the time of the call, and its length is given.
            unsafe {
                libc::setsockopt(
                    fd.as_raw_fd(),
                    libc::SOL_NETLINK,
                    option,
                    std::ptr::from_ref(&on).cast(),
                    size_of_val(&on) as libc::socklen_t,
                );
            }
        }
        Ok(Self { fd, buffer: vec![0; RECEIVE_BUFFER] })
    }

    /// Sends the messages and gives what the kernel answers, acknowledgements aside. All messages have
    /// been processed when it returns; the first refusal is the error.
    pub fn exchange(&mut self, request: &Request) -> Result<Vec<Reply>, Refusal> {
        if request.is_empty() {
            return Ok(Vec::new());
        }
        retry(|| send(self.fd.as_raw_fd(), request.bytes(), MsgFlags::empty())).map_err(Refusal::of)?;
        let mut answers = Vec::new();
        let mut refusal = None;
        // A socket from which nothing is expected any more is still drained: after an error the kernel
        // may have queued acknowledgements of the other messages.
        let mut finished = false;
        loop {
            let flags = if finished { MsgFlags::MSG_DONTWAIT } else { MsgFlags::empty() };
            let length = match retry(|| recv(self.fd.as_fd().as_raw_fd(), &mut self.buffer, flags)) {
                Ok(length) => length,
                Err(Errno::EAGAIN) if finished => break,
                Err(errno) => return Err(Refusal::of(errno)),
            };
            for reply in replies(&self.buffer[..length]) {
                if i32::from(reply.kind) == NLMSG_ERROR {
                    if let Some(refused) = refused(&reply) {
                        refusal.get_or_insert(refused);
                        finished = true;
                    }
                    finished |= reply.sequence == request.last_acknowledged();
                } else if i32::from(reply.kind) == NLMSG_DONE {
                    finished = true;
                } else {
                    answers.push(reply);
                }
            }
        }
        refusal.map_or(Ok(answers), Err)
    }
}

/// Reads `struct nlmsgerr`: the error number, negative, the header of what was sent, attributes.
fn refused(reply: &Reply) -> Option<Refusal> {
    const NUMBER: usize = 4;
    const SENT_HEADER: usize = 16;
    let number = u32_at(&reply.body, 0)? as i32;
    if number == 0 {
        return None;
    }
    let flags = i32::from(reply.flags);
    // Without NLM_F_CAPPED the whole message that was sent follows its header.
    let sent = if flags & NLM_F_CAPPED == 0 { u32_at(&reply.body, NUMBER)? as usize } else { SENT_HEADER };
    let detail = (flags & NLM_F_ACK_TLVS != 0)
        .then(|| reply.body.get(NUMBER + sent.next_multiple_of(4)..))
        .flatten()
        .and_then(|bytes| attribute(bytes, ERROR_TEXT))
        .map(|text| String::from_utf8_lossy(text).trim_end_matches('\0').to_owned());
    Some(Refusal { errno: Errno::from_raw(-number), detail, message: reply.sequence })
}

fn retry<T>(mut call: impl FnMut() -> nix::Result<T>) -> nix::Result<T> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}
