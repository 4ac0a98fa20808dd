//! The messages between commands and monitors: one JSON object a line, descriptors beside it.
//!
//! Monitors outlive an upgrade of the binary: fields and variants are only added, and a monitor answers
//! what it does not know with [`Event::Refused`].

use crate::error::{Error, ErrorKind, ExitDetails};
use crate::model::RestartPolicy;
use crate::model::WindowSize;
use crate::runtime::launch::Launch;
use crate::runtime::made_places::MadePlace;
use crate::runtime::network::NetworkPlan;
use crate::runtime::state::State;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Version of the messages.
pub const VERSION: u32 = 1;
/// Name of the control socket in the run directory.
pub const SOCKET_NAME: &str = "control";

/// What a command wants.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    /// [`VERSION`] of who sent it.
    pub version: u32,
    /// What it wants.
    #[serde(flatten)]
    pub command: Command,
}

/// The requests.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Make a container, up to its program: the first message of the connection that a monitor is
    /// born with. Descriptors: those of its `StdioPlan`, then one a published port.
    /// Answers: `prepared` or `failed`, then, after `go`, `started` or `failed`, then `exited`.
    Launch {
        /// What to make.
        launch: Box<Launch>,
    },
    /// Execute the program: the container has been recorded.
    Go,
    /// Answers `exited` once the container has ended.
    Wait,
    /// Send a signal to its first process. Answers `done`.
    Signal {
        /// The signal's number.
        number: i32,
    },
    /// Send the stop signal, and KILL after the timeout. Answers `exited`.
    Stop {
        /// `None`: the container's own.
        #[serde(default)]
        timeout: Option<Duration>,
    },
    /// Freeze all its processes. Answers `done` once they stand still.
    Pause,
    /// The same for as long as the connection lasts: its end lets them go on.
    Hold,
    /// Let its processes go on. Answers `done`.
    Unpause,
    /// Look after it differently from now on. Answers `done`.
    Update {
        /// When to start it again; `None`: as before.
        #[serde(default)]
        restart: Option<RestartPolicy>,
        /// Whether its memory is limited now; `None`: as before.
        #[serde(default)]
        memory_is_limited: Option<bool>,
    },
    /// Run a program inside, with the three descriptors that come along. Answers: `started` or
    /// `failed`, then `exited`. A hang-up kills it, unless it is detached.
    Exec {
        /// What to run.
        exec: ExecRequest,
    },
    /// Its container has another name. Answers `done`.
    Rename {
        /// The name.
        name: String,
    },
    /// Its container is to be connected in another way: links come and go. Answers `done`.
    Reconnect {
        /// How.
        network: Box<NetworkPlan>,
    },
    /// Copy what the program writes into the two pipes that come along. Answers `attached`, with the program's input,
    /// then `detached` or, at the program's end, `exited`.
    Attach,
    /// Answers `status`.
    Status,
    /// Go on when the launcher ends. Answers `done`.
    OutliveLauncher,
}

/// A program to run in a running container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExecRequest {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Environment on top of the container's.
    pub env: Vec<(String, String)>,
    /// Working directory; `None`: the container's.
    pub workdir: Option<String>,
    /// `user`, `user:group`, `uid`, `uid:gid`; `None`: the container's.
    pub user: Option<String>,
    /// It goes on when the caller hangs up.
    pub detach: bool,
    /// It gets a terminal: one descriptor comes along instead of three, a socket that its master is sent over.
    pub tty: bool,
    /// Size of that terminal at first.
    pub size: Option<WindowSize>,
}

/// What a monitor says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Answer {
    /// [`VERSION`] of the monitor.
    pub version: u32,
    /// What it says.
    #[serde(flatten)]
    pub event: Event,
}

/// The answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The first process exists and waits for `go`.
    Prepared {
        /// Its pid on the host.
        pid: i32,
    },
    /// The program was executed.
    Started {
        /// Its pid on the host.
        pid: i32,
        /// Clock ticks from boot to its start.
        start_time: u64,
        /// What could not be done as asked, for a person.
        #[serde(default)]
        warnings: Vec<String>,
        /// What was made in its root for mounts to have a place, when that was asked for.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        made: Vec<MadePlace>,
    },
    /// It could not be started; nothing is left of it.
    Failed {
        /// Why.
        failure: Failure,
    },
    /// The program has ended.
    Exited {
        /// As a shell gives it.
        code: i32,
        /// Killed because it ran out of memory.
        #[serde(default)]
        oom_killed: bool,
    },
    /// The caller sees the program's output from now on. Its input comes along, when it has one.
    Attached {
        /// It has a terminal.
        tty: bool,
        /// Whether its input comes along.
        input: bool,
    },
    /// Output is not read as fast as it comes: no more is sent.
    Detached,
    /// It was done.
    Done,
    /// What is known now.
    Status {
        /// As `state.json` has it.
        state: Box<State>,
    },
    /// It was not done.
    Refused {
        /// Why.
        message: String,
        /// The same with its kind and hint.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<Failure>,
    },
}

/// Which step of a start failed, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Failure {
    /// The step, such as `mounting /proc`.
    pub step: String,
    /// What the kernel said; 0 when it was not the kernel.
    pub errno: i32,
    /// What failed and why, for a person.
    pub message: String,
    /// What the person can do about it.
    pub hint: Option<String>,
    /// Name of the [`ErrorKind`].
    pub kind: String,
    /// The exit code that stands for it when the program could not be executed: 126 or 127.
    pub code: Option<i32>,
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let kind = ErrorKind::from_name(&failure.kind).unwrap_or(ErrorKind::Io);
        let error = match failure.code {
            Some(code) => Self::exit(failure.message, ExitDetails { code, ..ExitDetails::default() }),
            None if failure.step.is_empty() => Self::new(kind, failure.message),
            None => Self::new(kind, failure.message).context(failure.step),
        };
        match failure.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

impl Failure {
    /// The failure of a step.
    pub fn of(step: &str, error: &Error) -> Self {
        Self {
            step: step.to_owned(),
            errno: 0,
            message: error.message(),
            hint: error.hint_text().map(str::to_owned),
            kind: error.kind().name().to_owned(),
            code: error.exit_details().map(|details| details.code),
        }
    }
}

/// Wraps a command for sending.
pub fn request(command: Command) -> Request {
    Request { version: VERSION, command }
}

/// Wraps an event for sending.
pub fn answer(event: Event) -> Answer {
    Answer { version: VERSION, event }
}
