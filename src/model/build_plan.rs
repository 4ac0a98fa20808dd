//! What an image is built from: the steps of `from(…)` and what was chained to it.

use super::HealthcheckSpec;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// An image to be built from steps: `from(…)` and what was chained to it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BuildPlan {
    /// Base image; `scratch` for none.
    pub from: String,
    /// What to do, in order.
    pub steps: Vec<BuildStep>,
    /// Folder that relative sources are found in.
    pub context: PathBuf,
}

/// Where a step takes files from.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum CopyFrom {
    /// This machine, relative to the plan's context.
    #[default]
    Host,
    /// An image, by reference or id.
    Image(String),
    /// What other steps come to.
    Plan(Arc<BuildPlan>),
}

/// One step of a build. Host paths may be relative to the plan's context.
#[derive(Clone, Debug, PartialEq)]
pub enum BuildStep {
    /// Copies files and folders.
    Copy {
        /// Path, may be a pattern.
        source: String,
        /// Whose path that is.
        from: CopyFrom,
        /// Path inside; a trailing `/` makes it a folder.
        target: String,
        /// `user:group`, ids or names; `None`: root.
        owner: Option<String>,
        /// Mode of files instead of the source's.
        mode: Option<u32>,
        /// Patterns of what is left out, as in a `.dockerignore`, relative to the source.
        exclude: Vec<String>,
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
        /// Mounts while it runs, as after `RUN --mount=`.
        mounts: Vec<String>,
        /// What `from=` of a mount may name beside images.
        stages: Vec<(String, Arc<BuildPlan>)>,
        /// Network while it runs: `default`, `none`, `host` or a name; `None`: that of the build.
        network: Option<String>,
    },
    /// Sets an environment variable.
    Env(String, String),
    /// Sets the working directory, and makes it.
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
    /// Sets the shell of later shell lines.
    Shell(Vec<String>),
    /// Says who made it.
    Author(String),
    /// Adds a line for the builds of images that are made from this one.
    OnBuild(String),
}
