//! Where the log of a container is: the files that its monitor writes and commands read.

use std::path::{Path, PathBuf};

/// Name of the file that is written, in the container's folder.
pub const FILE_NAME: &str = "container.log";

/// An older file of a log: `container.log.1` is the newest of them.
pub fn older(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}
