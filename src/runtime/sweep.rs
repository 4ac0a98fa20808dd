//! Takes away what a container left whose monitor was killed: processes, control groups, its run directory.

use super::cgroup::{Hierarchies, container_path, remove_group};
use super::state;
use crate::error::{Error, ErrorKind, IoContext, Result};
use std::path::Path;

/// Takes everything away that is not in the container's folder; succeeds at once when nothing is left.
/// The caller knows that the container has ended.
///
/// # Errors
/// `busy` while its monitor lives, `io` when something stays, which the message names.
pub fn sweep(container_dir: &Path, run_dir: &Path, root_id8: &str, id: &str) -> Result<()> {
    // A monitor removes this last of all.
    if !run_dir.exists() {
        return Ok(());
    }
    if state::monitor_pid(container_dir)?.is_some() {
        return Err(Error::new(ErrorKind::Busy, "the monitor of the container is still cleaning up").hint("try again"));
    }
    let group = container_path(root_id8, id);
    let hierarchies = Hierarchies::discover()?;
    let left = remove_group(&hierarchies, &group);
    if !left.is_empty() {
        return Err(Error::new(ErrorKind::Io, format!("cannot remove the control groups {}", left.join(", "))));
    }
    super::cgroup::remove_empty_parents(&hierarchies, &group);
    match std::fs::remove_dir_all(run_dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        removed => removed.doing(|| format!("cannot remove `{}`", run_dir.display())),
    }
}
