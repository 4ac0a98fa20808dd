//! What a command of a build runs in, and who runs it.

use crate::context::Context;
use crate::error::Result;
use crate::model::{Secret, Stream};
use oci_spec::image::ImageConfiguration;
use std::path::{Path, PathBuf};

/// Runs the commands of a build: whoever calls [`super::build`] has a container runtime.
pub trait RunStep: Sync {
    /// Runs `step.argv` in a container whose changes go to `step.upper`, and waits for it. Nobody
    /// changes the folder afterwards: it can be read and removed. Overlayfs may let go of it a moment later.
    ///
    /// # Errors
    /// `exit` when its code is not 0, with the end of its output.
    fn run(&self, cx: &Context, step: RunRequest<'_>) -> Result<()>;
}

/// What a command of a build runs in.
pub struct RunRequest<'a> {
    /// Layers so far, the topmost first.
    pub layers: &'a [PathBuf],
    /// Config so far: user, environment, working directory.
    pub config: &'a ImageConfiguration,
    /// The command.
    pub argv: &'a [String],
    /// Empty folder for the changes: overlayfs's upper directory.
    pub upper: &'a Path,
    /// Empty folder beside it: overlayfs's work directory.
    pub work: &'a Path,
    /// Environment on top of the config's that no image gets: build arguments and the like.
    pub env: &'a [(String, String)],
    /// The same of secrets: their values are written to no disk.
    pub secret_env: &'a [(String, Secret)],
    /// What else it sees; what is below another mount comes over it.
    pub mounts: &'a [StepMount],
    /// What it reaches.
    pub network: &'a StepNetwork,
    /// Lines for `/etc/hosts`: (name, address), as [`crate::model::ContainerSpec::extra_hosts`] has them.
    pub extra_hosts: &'a [(String, String)],
    /// All capabilities and devices; the caller has checked that this is allowed.
    pub insecure: bool,
    /// What it reads on standard input; `None`: nothing.
    pub stdin: Option<Vec<u8>>,
    /// Gets what it writes, as it comes.
    pub output: &'a mut (dyn FnMut(Stream, &[u8]) + Send),
}

/// What a command of a build reaches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StepNetwork {
    /// What containers reach: the default network.
    #[default]
    Default,
    /// Itself.
    None,
    /// What the host reaches.
    Host,
    /// A network by its name.
    Named(String),
}

/// Something that a command of a build sees and that is in no layer. Targets are absolute, or relative to the working
/// directory; they are made when they are missing, and go with the step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepMount {
    /// A file, folder or socket of this machine.
    Bind {
        /// Where it is here.
        source: PathBuf,
        /// Where the command sees it.
        target: PathBuf,
        /// Nothing can be changed through it.
        read_only: bool,
    },
    /// Folders as one.
    Overlay {
        /// The topmost first; may be none. They stay mounted while the step runs.
        lower: Vec<PathBuf>,
        /// Folders for what is changed, and to work in; `None`: it is read-only.
        changes: Option<(PathBuf, PathBuf)>,
        /// What of them is seen, a folder or a file: a path in them, followed there; empty: all of them.
        below: PathBuf,
        /// Where the command sees them.
        target: PathBuf,
    },
    /// Memory.
    Tmpfs {
        /// Where the command sees it.
        target: PathBuf,
        /// Bytes; `None`: half of the machine's memory.
        size: Option<u64>,
    },
}
