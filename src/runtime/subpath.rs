//! Mounts of a part of a folder: the way to it is looked up inside that folder, when it is mounted. A container that has all
//! of it may put links in the way at any time.

use super::rootfs::Root;
use crate::sys::mount::clone_tree;
use nix::fcntl::{OFlag, open as open_path};
use nix::sys::stat::Mode;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// The option of a bind that names the part, before the path. Ours alone: other runtimes do not know it.
pub const OPTION: &str = "x-shanty-subpath=";

/// Opens what is at a path inside a folder, as a place. Links are followed inside that only.
pub fn open(folder: OwnedFd, below: &str) -> nix::Result<OwnedFd> {
    Root::new(folder).open(Path::new(below), OFlag::O_PATH)
}

/// A detached mount of what is at a path inside a folder.
pub fn clone(folder: &Path, below: &str, recursive: bool) -> nix::Result<OwnedFd> {
    let folder = open_path(folder, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
    clone_tree(open(folder, below)?.as_fd(), Path::new(""), recursive)
}
