//! What an image is built from: the steps of `from(…)` and what was chained to it.

use super::HealthcheckSpec;
use std::collections::BTreeMap;
use std::path::PathBuf;

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
        /// Path inside; `None`: the host's. Its libraries keep their paths.
        to: Option<String>,
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
