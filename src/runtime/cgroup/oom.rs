//! Being told that memory runs out: an eventfd on cgroup v1, a pollable file on v2.

use super::{Group, write};
use crate::error::{Error, IoContext, Result};
use nix::poll::PollFlags;
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// Ready when a process of the group has been, or is about to be, killed for want of memory.
#[derive(Debug)]
pub struct OomWatch(Kind);

#[derive(Debug)]
enum Kind {
    /// `cgroup.event_control` of v1 (cgroup-v1/memory.rst, "OOM Control"). The second file is what is watched.
    V1(EventFd, #[expect(dead_code, reason = "held open: the registration goes with it")] File),
    /// `memory.events` of v2, which changes for other reasons, too.
    V2(File),
}

impl OomWatch {
    /// Watches a group.
    pub fn new(group: Group<'_>) -> Result<Self> {
        let memory = group
            .hierarchies
            .of("memory")
            .ok_or_else(|| Error::unsupported("memory cannot be watched: there is no `memory` controller"))?;
        let dir = memory.dir(group.path);
        let doing = || format!("cannot watch the memory of `{}`", dir.display());
        if memory.is_v2() {
            let mut events = File::open(dir.join("memory.events")).doing(doing)?;
            read(&mut events);
            return Ok(Self(Kind::V2(events)));
        }
        let watched = File::open(dir.join("memory.oom_control")).doing(doing)?;
        let event = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK).doing(doing)?;
        let registration = format!("{} {}", event.as_fd().as_raw_fd(), watched.as_raw_fd());
        write(&dir.join("cgroup.event_control"), &registration)?;
        Ok(Self(Kind::V1(event, watched)))
    }

    /// What to poll, and for what.
    pub fn poll_fd(&self) -> (BorrowedFd<'_>, PollFlags) {
        match &self.0 {
            Kind::V1(event, _) => (event.as_fd(), PollFlags::POLLIN),
            // POLLIN is always there: it is a file.
            Kind::V2(events) => (events.as_fd(), PollFlags::POLLPRI),
        }
    }

    /// It has been ready: waits for the next time.
    pub fn reset(&mut self) {
        match &mut self.0 {
            Kind::V1(event, _) => drop(event.read()),
            Kind::V2(events) => read(events),
        }
    }
}

/// The kernel takes a change for seen when the file is read from its start.
fn read(events: &mut File) {
    let mut text = [0u8; 512];
    let _ = events.rewind();
    let _ = events.read(&mut text);
}
