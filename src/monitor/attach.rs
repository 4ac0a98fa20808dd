//! Those who look at the container's output as it comes, and type into it.

use super::client::Client;
use super::output::{LITTLE, Show};
use super::timers::Timers;
use super::watch::Monitor;
use crate::error::{Error, Result};
use crate::runtime::control::protocol::Event;
use crate::sys::pipe;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::write;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

/// Memory that much output took is given back after this time: soon, but not after each piece.
const QUIET: Duration = Duration::from_millis(100);
/// Size of the pipe to who is attached, of which a quarter is used while the program runs: what it leaves at its end has
/// to fit, and nobody is waited for then.
const VIEWER_PIPE: i32 = 1 << 20;
/// How soon to look again whether somebody has read.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// The program waits for who reads slowly, as with Docker; but not longer than this for who does not read at all.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who is attached: pipes that what the program writes is copied to.
pub struct Viewer {
    outputs: [OwnedFd; 2],
    behind: Option<Behind>,
}

/// What was to be read when somebody read last.
#[derive(Clone, Copy, Debug)]
struct Behind {
    waiting: usize,
    since: Instant,
}

impl Viewer {
    /// Copies output; `false` when there is no room for it: half of what a program draws is worse than nothing.
    fn show(&mut self, index: usize, bytes: &[u8]) -> bool {
        loop {
            match write(&self.outputs[index], bytes) {
                Ok(count) => break count == bytes.len() && self.look(),
                Err(Errno::EINTR) => {}
                Err(_) => break false,
            }
        }
    }

    /// Looks how much has not been read; `false` when that has not changed for too long.
    fn look(&mut self) -> bool {
        let full = self.outputs.iter().find_map(|output| {
            let waiting = pipe::waiting(output).ok()?;
            let size = fcntl(output, FcntlArg::F_GETPIPE_SZ).ok()?;
            (waiting > size as usize / 4).then_some(waiting)
        });
        let now = Instant::now();
        self.behind = full.map(|waiting| match self.behind {
            Some(behind) if waiting >= behind.waiting => Behind { waiting, ..behind },
            _ => Behind { waiting, since: now },
        });
        self.behind.is_none_or(|behind| now.duration_since(behind.since) < PATIENCE)
    }
}

fn show(clients: &mut [Client], index: usize, bytes: &[u8]) {
    for client in clients {
        let is_lost = client.viewer.as_mut().is_some_and(|viewer| !viewer.show(index, bytes));
        if is_lost {
            detach(client);
        }
    }
}

fn detach(client: &mut Client) {
    client.viewer = None;
    client.waits = false;
    client.tell(Event::Detached);
}

impl Monitor {
    /// Attaches a client that has sent two pipes along; it gets the program's input.
    pub fn attach(&mut self, index: usize) -> Result<()> {
        let fds = self.clients[index].channel.take_fds();
        let outputs = <[OwnedFd; 2]>::try_from(fds)
            .map_err(|fds| Error::invalid(format!("an attach came with {} descriptors instead of 2", fds.len())))?;
        for output in &outputs {
            fcntl(output, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
                .map_err(|errno| Error::invalid(format!("cannot write to a pipe: {}", errno.desc())))?;
            // Who has too many large pipes keeps a small one.
            let _ = fcntl(output, FcntlArg::F_SETPIPE_SZ(VIEWER_PIPE));
        }
        if self.container.log.is_none() {
            return Err(Error::conflict("the output of this container belongs to who started it"));
        }
        let input = self.container.terminal.as_ref().map(AsFd::as_fd).or(self.remains.input());
        let input: Vec<_> = input.into_iter().collect();
        let attached = Event::Attached { tty: self.container.terminal.is_some(), input: !input.is_empty() };
        let client = &mut self.clients[index];
        client.tell_with(attached, &input);
        client.viewer = Some(Viewer { outputs, behind: None });
        client.waits = true;
        self.happened("attach", &[]);
        Ok(())
    }

    /// Reads output into the log and shows it to who is attached.
    pub fn read_output(&mut self, index: usize) {
        let Some((log, outputs)) = &mut self.container.log else { return };
        let is_seen = self.clients.iter().any(|client| client.viewer.is_some());
        let mut show = |bytes: &[u8]| show(&mut self.clients, index, bytes);
        let mut show: Show<'_> = if is_seen { Some(&mut show) } else { None };
        if outputs[index].read_into(log, &mut show) > LITTLE {
            self.timers.trim.get_or_insert_with(|| Timers::after(QUIET));
        }
        if self.somebody_is_behind() {
            self.timers.viewers.get_or_insert_with(|| Timers::after(LOOK_AGAIN));
        }
    }

    /// Whether somebody who is attached has to read first: until then no output is read.
    pub fn somebody_is_behind(&self) -> bool {
        self.clients.iter().any(|client| client.viewer.as_ref().is_some_and(|viewer| viewer.behind.is_some()))
    }

    /// Looks whether they have read.
    pub fn look_at_viewers(&mut self) {
        for client in &mut self.clients {
            let is_lost = client.viewer.as_mut().is_some_and(|viewer| !viewer.look());
            if is_lost {
                detach(client);
            }
        }
        if self.somebody_is_behind() {
            self.timers.viewers = Some(Timers::after(LOOK_AGAIN));
        }
    }

    /// The same with all that is left of a program that has ended.
    pub fn drain_outputs(&mut self) {
        let Some((log, outputs)) = &mut self.container.log else { return };
        let is_seen = self.clients.iter().any(|client| client.viewer.is_some());
        for (index, output) in outputs.iter_mut().enumerate() {
            let mut show = |bytes: &[u8]| show(&mut self.clients, index, bytes);
            output.drain_into(log, &mut is_seen.then_some(&mut show as &mut dyn FnMut(&[u8])));
        }
    }

    /// The program has ended: those who looked at it have seen everything.
    pub fn end_views(&mut self, code: i32) {
        let exited = Event::Exited { code, oom_killed: self.container.state.oom_killed };
        for client in self.clients.iter_mut().filter(|client| client.viewer.is_some()) {
            client.viewer = None;
            client.waits = false;
            client.tell(exited.clone());
        }
    }
}
