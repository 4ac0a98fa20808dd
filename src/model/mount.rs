//! What is mounted into a container: `data:/var/lib`, `./app:/app:ro`, a tmpfs.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Where the data of a mount comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MountKind {
    /// A file or folder of the host.
    Bind,
    /// A named volume, or an anonymous one when the source is empty.
    Volume,
    /// Memory.
    Tmpfs,
}

/// One mount of a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountSpec {
    /// Bind, volume or tmpfs.
    pub kind: MountKind,
    /// Host path (absolute once the script's folder is known), volume name, or empty.
    pub source: String,
    /// Absolute path inside the container.
    pub target: PathBuf,
    /// Not writable.
    #[serde(default)]
    pub read_only: bool,
    /// Create a missing bind source as a folder.
    #[serde(default)]
    pub create: bool,
    /// Do not fill a new volume from the image.
    #[serde(default)]
    pub nocopy: bool,
    /// Bind propagation: `rprivate` (default), `private`, `rshared`, `shared`, `rslave`, `slave`.
    #[serde(default)]
    pub propagation: Option<String>,
    /// Size limit of a tmpfs, bytes.
    #[serde(default)]
    pub size: Option<u64>,
    /// Mode of a tmpfs root, such as 0o1777.
    #[serde(default)]
    pub mode: Option<u32>,
}
