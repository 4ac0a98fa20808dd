//! What goes into and comes out of an [`super::Engine`].

use crate::error::Result;
use crate::model::{HealthcheckSpec, Platform, Status};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// How `run` and `create` come by their image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PullPolicy {
    /// Pull when it is not here: the default.
    #[default]
    Missing,
    /// Ask the registry each time.
    Always,
    /// Pull when the registry has another digest.
    Newer,
    /// Fail when it is not here.
    Never,
}

/// Options of a pull.
#[derive(Clone, Debug, Default)]
pub struct PullOptions {
    /// Platform to choose from an index; `None`: this machine's.
    pub platform: Option<Platform>,
}

/// Which images to list.
#[derive(Clone, Debug, Default)]
pub struct ImageFilter {
    /// Repository name or pattern with `*`.
    pub name: Option<String>,
    /// Labels that must be there; an empty value matches any.
    pub labels: Vec<(String, String)>,
    /// Only images without (`true`) or with (`false`) a name.
    pub dangling: Option<bool>,
}

/// Which containers to list.
#[derive(Clone, Debug, Default)]
pub struct ContainerFilter {
    /// Also those that are not alive.
    pub all: bool,
    /// Part of the name.
    pub name: Option<String>,
    /// Labels that must be there; an empty value matches any.
    pub labels: Vec<(String, String)>,
    /// In this state.
    pub status: Option<Status>,
    /// Made from this image.
    pub image: Option<String>,
}

/// One of the two output streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// `stdout` or `stderr`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// Receives output while a command runs; an error stops the command.
pub type OutputSink<'a> = &'a mut dyn FnMut(Stream, &[u8]) -> Result<()>;

/// What a command reads, and who sees its output as it comes.
#[derive(Default)]
pub struct ExecIo<'a> {
    /// Standard input; `None`: nothing to read.
    pub stdin: Option<Vec<u8>>,
    /// Called with each chunk of output, besides collecting it.
    pub on_output: Option<OutputSink<'a>>,
}

/// What a command left behind.
#[derive(Clone, Debug, Default)]
pub struct RunOutput {
    /// As a shell gives it: 128 + signal, 126, 127.
    pub code: i32,
    /// Standard output, up to 64 MiB.
    pub stdout: Vec<u8>,
    /// Standard error, up to 64 MiB.
    pub stderr: Vec<u8>,
}

/// Which lines of a log.
#[derive(Clone, Debug, Default)]
pub struct LogOptions {
    /// Only the last so many lines.
    pub tail: Option<usize>,
    /// Only lines from this time on.
    pub since: Option<jiff::Timestamp>,
    /// Only lines before this time.
    pub before: Option<jiff::Timestamp>,
    /// Only this stream.
    pub stream: Option<Stream>,
    /// Go on with new lines until the container ends.
    pub follow: bool,
}

/// One line of a log.
#[derive(Clone, Debug)]
pub struct LogLine {
    /// The bytes without the line end.
    pub text: Vec<u8>,
    /// Where it was written to.
    pub stream: Stream,
    /// When the monitor read it.
    pub time: jiff::Timestamp,
}

/// An image to be built from steps: `from(…)` and what was chained to it.
#[derive(Clone, Debug, Default)]
pub struct BuildPlan {
    /// Base image; `scratch` for none.
    pub from: String,
    /// What to do, in order.
    pub steps: Vec<BuildStep>,
    /// Names for the result.
    pub tags: Vec<String>,
    /// Folder that relative sources are found in.
    pub context: PathBuf,
}

/// One step of a build. Host paths may be relative to the plan's context.
#[derive(Clone, Debug, PartialEq)]
pub enum BuildStep {
    /// Copies a file or folder of the host.
    Copy {
        /// Host path, may hold `*` and `?`.
        source: String,
        /// Path inside; a trailing `/` makes it a folder.
        target: String,
        /// `user:group` ids; `None`: root.
        owner: Option<String>,
        /// Mode instead of the source's.
        mode: Option<u32>,
    },
    /// Writes a text file.
    Write {
        /// Path inside.
        path: String,
        /// What it holds.
        content: Vec<u8>,
        /// Mode; `None`: 0644.
        mode: Option<u32>,
    },
    /// Copies a program of this machine and the libraries it loads.
    HostProgram {
        /// Path or name of the program on the host.
        path: String,
    },
    /// Unpacks a tar as a layer.
    LayerFromTar {
        /// Host path.
        path: String,
    },
    /// Runs a command in a container and keeps what it changed.
    Run {
        /// The command.
        argv: Vec<String>,
    },
    /// Sets an environment variable.
    Env(String, String),
    /// Sets the working directory.
    Workdir(String),
    /// Sets the user.
    User(String),
    /// Says that a port is listened on: `80`, `53/udp`.
    Expose(String),
    /// Sets a label.
    Label(String, String),
    /// Sets the default arguments.
    Cmd(Vec<String>),
    /// Sets the program.
    Entrypoint(Vec<String>),
    /// Declares a volume.
    Volume(String),
    /// Sets the health check.
    Healthcheck(HealthcheckSpec),
    /// Sets the signal of `stop`.
    StopSignal(String),
    /// Sets several labels at once.
    Labels(BTreeMap<String, String>),
}
