//! Starting the monitor of a container: `prepared → go → started`.

use super::channel::Channel;
use super::connection::{Connection, Exit};
use super::program;
use super::protocol::{Command, Event};
use crate::context::Context;
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::runtime::launch::Launch;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Name that a monitor is executed under: how the binary knows its role.
pub const MONITOR_ARGV0: &str = "shanty-monitor";
/// Name that a cleaner is executed under: `shanty-cleaner ROOT [CONTAINER]`.
pub const CLEANER_ARGV0: &str = "shanty-cleaner";

/// Makes a container and executes its program.
///
/// `stdio` belongs to `StdioPlan::Passed`, `port_sockets` to the published ports of the plan, in its
/// order. Fails with `exit` (126, 127) when the program cannot be executed; nothing is left then.
pub fn launch(
    cx: &Context,
    launch: &Launch,
    stdio: Option<[OwnedFd; 3]>,
    port_sockets: Vec<OwnedFd>,
) -> Result<Started> {
    prepare(cx, launch, stdio, port_sockets)?.go(cx)
}

/// Makes a container up to its program. Dropping the result destroys it.
pub fn prepare(
    cx: &Context,
    launch: &Launch,
    stdio: Option<[OwnedFd; 3]>,
    port_sockets: Vec<OwnedFd>,
) -> Result<Prepared> {
    cx.check()?;
    std::fs::create_dir_all(&launch.run_dir)
        .doing(|| format!("cannot make the directory `{}`", launch.run_dir.display()))?;
    let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)
        .doing(|| "cannot make a socket pair")?;
    let mut connection = Connection::from_channel(Channel::new(ours), &launch.container_dir);
    let fds: Vec<OwnedFd> = stdio.into_iter().flatten().chain(port_sockets).collect();
    // Before the monitor exists: it finds the message waiting.
    connection.send(Command::Launch { launch: Box::new(launch.clone()) }, &fds)?;
    drop(fds);
    spawn_monitor(launch, theirs)?;
    match connection.next(cx)? {
        Event::Prepared { pid } => Ok(Prepared { connection, pid }),
        other => Err(Error::new(ErrorKind::Io, format!("the monitor began with {other:?}"))),
    }
}

/// A container that waits for `go`.
#[derive(Debug)]
pub struct Prepared {
    connection: Connection,
    /// Pid of its first process on the host.
    pub pid: i32,
}

impl Prepared {
    /// Ends what may have been executed by now, and waits until nothing of it is left.
    fn end(&mut self) {
        let _ = self.connection.send(Command::Stop { timeout: Some(Duration::ZERO) }, &[]);
        let _ = self.connection.wait_for_end(&Context::background());
    }

    /// Executes the program.
    pub fn go(mut self, cx: &Context) -> Result<Started> {
        self.connection.send(Command::Go, &[])?;
        let answer = match self.connection.next(cx) {
            Err(error) if cx.check().is_err() => {
                self.end();
                return Err(error);
            }
            answer => answer?,
        };
        match answer {
            Event::Started { pid, start_time, warnings } => {
                Ok(Started { connection: self.connection, pid, start_time, warnings })
            }
            other => Err(Error::new(ErrorKind::Io, format!("the monitor answered with {other:?}"))),
        }
    }
}

/// A container whose program was executed. Dropping this does not end it.
#[derive(Debug)]
pub struct Started {
    connection: Connection,
    /// Pid of its first process on the host.
    pub pid: i32,
    /// Clock ticks from boot to its start.
    pub start_time: u64,
    /// What could not be done as asked, for a person.
    pub warnings: Vec<String>,
}

impl Started {
    /// A descriptor to poll; `None` when a message has been received already that [`Self::wait`] will give.
    pub fn pollable(&self) -> Option<BorrowedFd<'_>> {
        self.connection.pollable()
    }

    /// Waits until the monitor of an ended container has cleaned up and gone.
    pub fn wait_for_monitor(mut self, cx: &Context) -> Result<()> {
        self.connection.wait_for_end(cx)
    }

    /// Waits until the container has ended, on the connection that started it: the fastest way.
    pub fn wait(&mut self, cx: &Context) -> Result<Exit> {
        self.connection.container_exit(cx)
    }
}

fn spawn_monitor(launch: &Launch, socket: OwnedFd) -> Result<()> {
    let program = program::protected(&launch.run_dir)?;
    // Without `pre_exec` this is a posix_spawn: no copy of a large address space is made, and it is
    // safe beside other threads.
    let child = std::process::Command::new(program.path())
        .arg0(MONITOR_ARGV0)
        // Not read: so that people see in `ps` whose monitor it is.
        .arg(launch.id.short())
        .arg(&launch.root)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(socket))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .doing(|| "cannot execute the monitor")?;
    let mut monitors = monitors();
    monitors.push(child);
    Ok(())
}

/// The monitors that this process has started and that live. Those that have ended are reaped here: at
/// the next launch, and by whoever waits for one.
pub(super) fn monitors() -> MutexGuard<'static, Vec<Child>> {
    static MONITORS: Mutex<Vec<Child>> = Mutex::new(Vec::new());
    let mut monitors = MONITORS.lock().unwrap_or_else(PoisonError::into_inner);
    monitors.retain_mut(|monitor| matches!(monitor.try_wait(), Ok(None)));
    monitors
}
