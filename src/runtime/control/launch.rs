//! Starting the monitor of a container: `prepared → go → started`.

use super::connection::{Connection, Exit};
use super::protocol::{Command, Event};
use super::summon::Summons;
use crate::context::Context;
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::runtime::launch::Launch;
use crate::runtime::made_places::MadePlace;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

/// Makes a container and executes its program.
///
/// `stdio` are the descriptors of the `StdioPlan`, `port_sockets` to the published ports of the plan, in its
/// order. Fails with `exit` (126, 127) when the program cannot be executed; nothing is left then.
pub fn launch(cx: &Context, launch: &Launch, stdio: Vec<OwnedFd>, port_sockets: Vec<OwnedFd>) -> Result<Started> {
    Summons::of(launch)?.prepare(cx, launch, stdio, port_sockets)?.go(cx)
}

impl Summons {
    /// Lets the monitor make its container up to the program. Dropping the result destroys it.
    pub fn prepare(
        self,
        cx: &Context,
        launch: &Launch,
        stdio: Vec<OwnedFd>,
        port_sockets: Vec<OwnedFd>,
    ) -> Result<Prepared> {
        cx.check()?;
        std::fs::create_dir_all(&launch.run_dir)
            .doing(|| format!("cannot make the directory `{}`", launch.run_dir.display()))?;
        let mut connection = Connection::from_channel(self.channel()?, &launch.container_dir);
        let fds: Vec<OwnedFd> = stdio.into_iter().chain(port_sockets).collect();
        let sent = connection.send(Command::Launch { launch: Box::new(launch.clone()) }, &fds);
        drop(fds);
        match connection.answer(cx, sent)? {
            Event::Prepared { pid } => Ok(Prepared { connection, pid }),
            other => Err(Error::new(ErrorKind::Io, format!("the monitor began with {other:?}"))),
        }
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
        let sent = self.connection.send(Command::Go, &[]);
        let answer = match self.connection.answer(cx, sent) {
            Err(error) if cx.check().is_err() => {
                self.end();
                return Err(error);
            }
            answer => answer?,
        };
        match answer {
            Event::Started { pid, start_time, warnings, made } => {
                Ok(Started { connection: self.connection, pid, start_time, warnings, made })
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
    /// What was made in its root for mounts to have a place, when that was asked for.
    pub made: Vec<MadePlace>,
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
