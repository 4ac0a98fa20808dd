//! What a monitor is given, over its socket, to make a container out of a bundle.

use super::health::HealthPlan;
use super::network::NetworkPlan;
use crate::model::{Id, LogSpec, RestartPolicy, Secret, WindowSize};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Version of this message. Fields are only added, with `#[serde(default)]`: monitors outlive an
/// upgrade of the binary.
pub const PROTOCOL_VERSION: u32 = 1;

/// Everything a monitor needs beside the bundle's `config.json` (an OCI runtime spec, in
/// `container_dir`, whose `root.path` is `rootfs.merged`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Launch {
    /// [`PROTOCOL_VERSION`] of who sent it.
    pub version: u32,
    /// The container.
    pub id: Id,
    /// Its name, for its events.
    #[serde(default)]
    pub name: String,
    /// Its image, as the user wrote it.
    #[serde(default)]
    pub image: String,
    /// Its labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Its volumes, for their events.
    #[serde(default)]
    pub volumes: Vec<MountedVolume>,
    /// First eight digits of the root's id: part of every name on the host.
    pub root_id8: String,
    /// The root (`--root`) itself: the clean-up after `remove` is a command on it.
    pub root: PathBuf,
    /// `containers/<id>` of the root: `state.json`, `monitor.lock`, the log.
    pub container_dir: PathBuf,
    /// Where `config.json` is; `None`: in `container_dir`.
    #[serde(default)]
    pub bundle_dir: Option<PathBuf>,
    /// `/run/shanty/<id8>/<id>`: the control socket.
    pub run_dir: PathBuf,
    /// How to assemble the root file system.
    pub rootfs: RootfsPlan,
    /// How it is connected.
    pub network: NetworkPlan,
    /// Environment of its program that is in no file: for one that is not started a second time.
    #[serde(default)]
    pub secret_env: Vec<(String, Secret)>,
    /// Tell what is made in its root for mounts to have a place.
    #[serde(default)]
    pub tells_made: bool,
    /// Where its input and output go.
    pub stdio: StdioPlan,
    /// How its log is written, when that is where output goes.
    #[serde(default)]
    pub log: LogSpec,
    /// A file whose content is its standard input; `None`: as `stdio` says.
    #[serde(default)]
    pub input: Option<PathBuf>,
    /// The OCI runtime's program that makes it; `None`: this one.
    #[serde(default)]
    pub runtime: Option<PathBuf>,
    /// What happens when it ends.
    #[serde(default)]
    pub restart: RestartPolicy,
    /// Whether this start is the second half of a restart that somebody asked for: an event of its own.
    #[serde(default)]
    pub is_restart: bool,
    /// How its health is checked; `None`: not at all.
    #[serde(default)]
    pub health: Option<HealthPlan>,
    /// Whether its memory has a limit: then it is watched.
    #[serde(default)]
    pub memory_is_limited: bool,
    /// Kill the container when whoever launched it is gone (the script that owns its scope).
    #[serde(default)]
    pub die_with_caller: bool,
    /// Run the clean-up command when it has ended.
    #[serde(default)]
    pub remove: bool,
    /// Signal number of `stop`.
    pub stop_signal: i32,
    /// Time between that signal and KILL.
    pub stop_timeout: Duration,
}

impl Launch {
    /// The folder of the OCI bundle.
    pub fn bundle_dir(&self) -> &Path {
        self.bundle_dir.as_deref().unwrap_or(&self.container_dir)
    }
}

/// A volume of a container.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MountedVolume {
    /// Its name.
    pub name: String,
    /// Where it is mounted.
    pub target: PathBuf,
    /// Not writable.
    pub read_only: bool,
}

/// An overlay of a container.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RootfsPlan {
    /// Unpacked layers, the topmost first.
    pub layers: Vec<PathBuf>,
    /// Where changes go.
    pub upper: PathBuf,
    /// The work directory that overlayfs wants beside it.
    pub work: PathBuf,
    /// Mount point; nothing is seen there from outside the container.
    pub merged: PathBuf,
    /// What is changed need not last a power loss.
    #[serde(default)]
    pub volatile: bool,
    /// Not used any more: `root.readonly` of the bundle says it.
    #[serde(default)]
    pub read_only: bool,
}

/// Where input and output of the program go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StdioPlan {
    /// Output into the log (Docker's json-file format, `container.log` in `container_dir`); input from
    /// `/dev/null`, or a pipe held open when `stdin` is set.
    Log {
        /// Keep standard input open.
        stdin: bool,
        /// All three are a terminal.
        #[serde(default)]
        tty: bool,
    },
    /// Three descriptors sent along: the caller holds the other ends.
    Passed,
    /// A terminal; one descriptor sent along, a socket that its master is sent over.
    Terminal {
        /// Its size at first.
        size: Option<WindowSize>,
    },
}

impl StdioPlan {
    /// How many descriptors are sent along.
    pub fn descriptors(self) -> usize {
        match self {
            Self::Log { .. } => 0,
            Self::Passed => 3,
            Self::Terminal { .. } => 1,
        }
    }

    /// Whether the caller holds the other ends: it waits for the first end of the program, and goes with it.
    pub fn is_callers(self) -> bool {
        self.descriptors() > 0
    }
}
