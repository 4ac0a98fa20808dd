//! Changes of owners in a container that has one id only: what asks about them, and who answers.

use super::watch::Monitor;
use crate::error::{IoContext, Result};
use crate::privilege::Privilege;
use crate::runtime::launch::Launch;
use crate::runtime::owners;
use crate::sys::fd_passing;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, socketpair};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// What listens comes from each process on its way to its program.
#[derive(Debug)]
pub struct Owners {
    inbox: OwnedFd,
    outbox: OwnedFd,
    listeners: Vec<Listener>,
}

#[derive(Debug)]
struct Listener {
    /// `None`: nobody is left who could call.
    fd: Option<OwnedFd>,
    server: Option<Pid>,
}

impl Owners {
    /// For a container with a single id; `None` for others.
    pub fn of(launch: &Launch) -> Result<Option<Self>> {
        if Privilege::current().has_many_ids() || launch.runtime.is_some() {
            return Ok(None);
        }
        let pair = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC);
        let (inbox, outbox) = pair.doing(|| "cannot make a socket")?;
        Ok(Some(Self { inbox, outbox, listeners: Vec::new() }))
    }

    /// Where a process on its way to its program sends what listens to it.
    pub fn outbox(&self) -> BorrowedFd<'_> {
        self.outbox.as_fd()
    }

    /// Where that comes in.
    pub fn inbox(&self) -> BorrowedFd<'_> {
        self.inbox.as_fd()
    }

    /// Those that nobody serves, by their numbers.
    pub fn unserved(&self) -> impl Iterator<Item = (usize, BorrowedFd<'_>)> {
        let listeners = self.listeners.iter().enumerate().filter(|(_, listener)| listener.server.is_none());
        listeners.filter_map(|(index, listener)| Some((index, listener.fd.as_ref()?.as_fd())))
    }

    fn receive(&mut self) {
        let (mut byte, mut fds) = ([0u8], Vec::new());
        while fd_passing::receive(self.inbox.as_fd(), &mut byte, &mut fds, MsgFlags::MSG_DONTWAIT)
            .is_ok_and(|it| it > 0)
        {}
        self.listeners.retain(|listener| listener.fd.is_some());
        self.listeners.extend(fds.into_iter().map(|fd| Listener { fd: Some(fd), server: None }));
    }

    fn serve(&mut self, index: usize, init: i32) {
        let Some(listener) = self.listeners.get_mut(index) else { return };
        let Some(fd) = &listener.fd else { return };
        let mut seen = [PollFd::new(fd.as_fd(), PollFlags::POLLIN)];
        let seen = match poll(&mut seen, PollTimeout::ZERO) {
            Ok(_) => seen[0].revents().unwrap_or(PollFlags::empty()),
            Err(_) => return,
        };
        if seen.contains(PollFlags::POLLIN) {
            listener.server = owners::start(fd.as_fd(), init).ok();
        }
        // Without a listener a call fails; it does not wait for ever.
        if !seen.is_empty() && listener.server.is_none() {
            listener.fd = None;
        }
    }

    /// Whether the process was one that answers.
    fn server_ended(&mut self, pid: Pid, code: i32) -> bool {
        let Some(listener) = self.listeners.iter_mut().find(|listener| listener.server == Some(pid)) else {
            return false;
        };
        listener.server = None;
        if code != 0 {
            // It has left a call without an answer.
            listener.fd = None;
        }
        true
    }

    fn stop(&mut self) {
        for server in self.listeners.drain(..).filter_map(|listener| listener.server) {
            let _ = kill(server, Signal::SIGKILL);
            let _ = waitpid(server, None);
        }
    }
}

impl Monitor {
    /// Takes what listens to a new program.
    pub fn receive_listeners(&mut self) {
        if let Some(owners) = &mut self.container.owners {
            owners.receive();
        }
    }

    /// Somebody changes an owner, or nobody is left who could.
    pub fn answer_changes(&mut self, index: usize) {
        let init = self.container.init.as_ref().map_or(0, |init| init.pid);
        if let Some(owners) = &mut self.container.owners {
            owners.serve(index, init);
        }
    }

    /// Whether a process that has ended was one that answers.
    pub fn answering_ended(&mut self, pid: Pid, code: i32) -> bool {
        self.container.owners.as_mut().is_some_and(|owners| owners.server_ended(pid, code))
    }

    /// Nobody answers any more.
    pub fn stop_answering(&mut self) {
        if let Some(owners) = &mut self.container.owners {
            owners.stop();
        }
    }
}
