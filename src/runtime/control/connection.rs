//! The requests to the monitor of a running container.

use super::channel::Channel;
use super::protocol::{Answer, Command, Event, ExecRequest, SOCKET_NAME, request};
use crate::context::Context;
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::model::RestartPolicy;
use crate::runtime::network::NetworkPlan;
use crate::runtime::state::{self, State};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use nix::sys::stat::Mode;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// As a shell gives it: 128 + signal.
    pub code: i32,
    /// Killed because it ran out of memory.
    pub oom_killed: bool,
}

/// A connection to a monitor. Each request is answered before the next one is sent.
#[derive(Debug)]
pub struct Connection {
    channel: Channel,
    container_dir: PathBuf,
}

impl Connection {
    /// Connects to the monitor of a container by its run directory; `None` when there is none.
    pub fn open(run_dir: &Path, container_dir: &Path) -> Result<Option<Self>> {
        let doing = || format!("cannot connect to `{}`", run_dir.join(SOCKET_NAME).display());
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let dir = match open(run_dir, flags, Mode::empty()) {
            Err(Errno::ENOENT) => return Ok(None),
            other => other.doing(doing)?,
        };
        let socket = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).doing(doing)?;
        let address = address_in(&dir).doing(doing)?;
        match connect(socket.as_raw_fd(), &address) {
            Ok(()) => Ok(Some(Self::from_channel(Channel::new(socket), container_dir))),
            // Refused: the socket of a monitor that was killed.
            Err(Errno::ENOENT | Errno::ECONNREFUSED) => Ok(None),
            Err(errno) => Err(errno).doing(doing),
        }
    }

    /// Waits until the container has ended.
    pub fn wait(&mut self, cx: &Context) -> Result<Exit> {
        self.request_exit(cx, Command::Wait)
    }

    /// Sends a signal to the container's first process.
    pub fn signal(&mut self, cx: &Context, number: i32) -> Result<()> {
        self.request_done(cx, Command::Signal { number })
    }

    /// Tells it to go on when the process that launched it ends.
    pub fn outlive_launcher(&mut self, cx: &Context) -> Result<()> {
        self.request_done(cx, Command::OutliveLauncher)
    }

    /// Tells it the new name of its container.
    pub fn rename(&mut self, cx: &Context, name: &str) -> Result<()> {
        self.request_done(cx, Command::Rename { name: name.to_owned() })
    }

    /// Connects it in another way.
    pub fn reconnect(&mut self, cx: &Context, network: &NetworkPlan) -> Result<()> {
        self.request_done(cx, Command::Reconnect { network: Box::new(network.clone()) })
    }

    /// Freezes all processes of the container; returns once they stand still.
    pub fn pause(&mut self, cx: &Context) -> Result<()> {
        self.request_done(cx, Command::Pause)
    }

    /// The same for as long as this connection lasts, so that nothing stands still after a crash of the caller.
    pub fn hold(&mut self, cx: &Context) -> Result<()> {
        self.request_done(cx, Command::Hold)
    }

    /// Lets the processes of the container go on.
    pub fn unpause(&mut self, cx: &Context) -> Result<()> {
        self.request_done(cx, Command::Unpause)
    }

    /// Asks the container to stop and waits for it; it is killed after `timeout` (`None`: its own).
    pub fn stop(&mut self, cx: &Context, timeout: Option<Duration>) -> Result<Exit> {
        self.request_exit(cx, Command::Stop { timeout })
    }

    /// What the monitor knows now.
    pub fn status(&mut self, cx: &Context) -> Result<State> {
        self.send(Command::Status, &[])?;
        match self.next(cx)? {
            Event::Status { state } => Ok(*state),
            other => Err(unexpected(other)),
        }
    }

    /// Runs a program inside with these descriptors as its input, output and error output, or the one that its terminal
    /// is sent over. Returns once it was executed.
    ///
    /// Fails with `exit`, code 126 or 127, when it could not be executed.
    pub fn exec(mut self, cx: &Context, exec: ExecRequest, stdio: Vec<OwnedFd>) -> Result<Execution> {
        self.send(Command::Exec { exec }, &stdio)?;
        drop(stdio);
        match self.next(cx)? {
            Event::Started { pid, .. } => Ok(Execution { connection: self, pid }),
            other => Err(unexpected(other)),
        }
    }

    /// Has what the program writes copied into these two pipes, and gives its input. Then [`Attachment::wait`].
    pub fn attach(mut self, cx: &Context, outputs: [OwnedFd; 2]) -> Result<Attachment> {
        self.send(Command::Attach, &outputs)?;
        drop(outputs);
        match self.next(cx)? {
            Event::Attached { tty, .. } => {
                let input = self.channel.take_fds().pop();
                Ok(Attachment { connection: self, tty, input })
            }
            other => Err(unexpected(other)),
        }
    }

    pub(super) fn from_channel(channel: Channel, container_dir: &Path) -> Self {
        Self { channel, container_dir: container_dir.to_owned() }
    }

    /// Tells it what has changed of the container.
    pub fn update(&mut self, cx: &Context, restart: Option<RestartPolicy>, memory_is_limited: bool) -> Result<()> {
        self.request_done(cx, Command::Update { restart, memory_is_limited: Some(memory_is_limited) })
    }

    fn request_done(&mut self, cx: &Context, command: Command) -> Result<()> {
        self.send(command, &[])?;
        match self.next(cx)? {
            Event::Done => Ok(()),
            other => Err(unexpected(other)),
        }
    }

    fn request_exit(&mut self, cx: &Context, command: Command) -> Result<Exit> {
        match self.send(command, &[]) {
            Ok(()) => self.container_exit(cx),
            // It ended between our look and our request.
            Err(error) => self.exit_on_disk().unwrap_or(Err(error)),
        }
    }

    /// Waits for the message that the container has ended. When the monitor goes without one, what it
    /// wrote last is the truth: it was killed, or had answered everybody it knew of.
    pub(super) fn container_exit(&mut self, cx: &Context) -> Result<Exit> {
        match self.exit(cx) {
            Err(error) if self.channel.has_ended() => self.exit_on_disk().unwrap_or(Err(error)),
            other => other,
        }
    }

    fn exit_on_disk(&self) -> Option<Result<Exit>> {
        match state::read(&self.container_dir) {
            Ok(Some(State { exit_code: Some(code), oom_killed, .. })) => Some(Ok(Exit { code, oom_killed })),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        }
    }

    pub(super) fn send(&self, command: Command, fds: &[OwnedFd]) -> Result<()> {
        let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
        self.channel.send(&request(command), &fds)
    }

    pub(super) fn exit(&mut self, cx: &Context) -> Result<Exit> {
        match self.next(cx)? {
            Event::Exited { code, oom_killed } => Ok(Exit { code, oom_killed }),
            other => Err(unexpected(other)),
        }
    }

    /// `None` when a message waits in memory, where poll(2) does not see it.
    pub(super) fn pollable(&self) -> Option<BorrowedFd<'_>> {
        (!self.channel.has_line()).then(|| self.channel.as_fd())
    }

    /// Waits until the monitor has gone.
    pub(super) fn wait_for_end(&mut self, cx: &Context) -> Result<()> {
        while !self.channel.has_ended() {
            while self.channel.next_line().is_some() {}
            cx.cancel.wait_readable(Some(self.channel.as_fd()), None)?;
            self.channel.fill()?;
        }
        Ok(())
    }

    /// The answer to what was sent, or could not be: a monitor that went before has said why.
    pub(super) fn answer(&mut self, cx: &Context, sent: Result<()>) -> Result<Event> {
        match sent {
            Err(error) if self.channel.fill()? => Err(error),
            _ => self.next(cx),
        }
    }

    /// The monitor's next message. Fails as it says when it says that something failed.
    pub(super) fn next(&mut self, cx: &Context) -> Result<Event> {
        loop {
            // Before waiting: a message may have come together with the one before it.
            if let Some(line) = self.channel.next_line() {
                let answer: Answer = serde_json::from_slice(&line)
                    .map_err(|error| Error::new(ErrorKind::Io, format!("the monitor sent no answer: {error}")))?;
                return match answer.event {
                    Event::Failed { failure } | Event::Refused { failure: Some(failure), .. } => Err(failure.into()),
                    Event::Refused { message, failure: None } => Err(Error::conflict(message)),
                    event => Ok(event),
                };
            }
            if self.channel.has_ended() {
                return Err(lost());
            }
            cx.cancel.wait_readable(Some(self.channel.as_fd()), None)?;
            self.channel.fill()?;
        }
    }
}

/// A program that was executed in a running container.
///
/// Dropping it before its end kills the program, unless it is detached.
#[derive(Debug)]
pub struct Execution {
    connection: Connection,
    /// Its pid on the host.
    pub pid: i32,
}

impl Execution {
    /// A descriptor to poll; `None` when a message has been received already that [`Self::wait`] will give.
    pub fn pollable(&self) -> Option<BorrowedFd<'_>> {
        self.connection.pollable()
    }

    /// Waits for its end.
    pub fn wait(mut self, cx: &Context) -> Result<Exit> {
        self.connection.exit(cx)
    }
}

/// What the program of a container writes is seen here.
#[derive(Debug)]
pub struct Attachment {
    connection: Connection,
    /// It has a terminal: its input is the master.
    pub tty: bool,
    /// Its input, when it has one.
    pub input: Option<OwnedFd>,
}

impl Attachment {
    /// A descriptor to poll; `None` when a message has been received already that [`Self::wait`] will give.
    pub fn pollable(&self) -> Option<BorrowedFd<'_>> {
        self.connection.pollable()
    }

    /// The program's exit code once it has ended; `None` when its output was not read as fast as it came.
    pub fn wait(mut self, cx: &Context) -> Result<Option<i32>> {
        match self.connection.next(cx) {
            Ok(Event::Exited { code, .. }) => Ok(Some(code)),
            Ok(Event::Detached) => Ok(None),
            Ok(other) => Err(unexpected(other)),
            Err(error) => self.connection.exit_on_disk().map_or(Err(error), |exit| exit.map(|exit| Some(exit.code))),
        }
    }
}

/// The control socket's address in a run directory. By descriptor: a socket's path may have 107 bytes
/// only (unix(7)), and a run directory's is not limited.
pub fn address_in(run_dir: &OwnedFd) -> nix::Result<UnixAddr> {
    UnixAddr::new(format!("/proc/self/fd/{}/{SOCKET_NAME}", run_dir.as_raw_fd()).as_str())
}

fn lost() -> Error {
    Error::new(ErrorKind::Io, "the monitor of the container is gone")
        .hint("look at the container's state again: it is cleaned up by the next command")
}

fn unexpected(event: Event) -> Error {
    Error::new(ErrorKind::Io, format!("the monitor gave an answer that does not belong here: {event:?}"))
}
