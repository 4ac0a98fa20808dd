//! After a monitor: waiting for its end, and taking away what one that was killed has left.

use crate::context::Context;
use crate::error::{Error, IoContext, Result};
use crate::runtime::cgroup::{Hierarchies, container_path, monitors_path, remove_group, remove_if_empty};
use crate::runtime::network::{self, NetworkPlan};
use crate::runtime::state::{self, LOCK_NAME};
use crate::sys::pidfd;
use crate::sys::record_lock::RecordLock;
use nix::errno::Errno;
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

/// Between two looks at who is the monitor.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Waits until a container has no monitor any more: its clean-up is done, and its directory may be used
/// or removed. Its exit may have been answered long before.
pub fn wait_until_gone(cx: &Context, container_dir: &Path) -> Result<()> {
    while let Some(pid) = state::monitor_pid(container_dir)? {
        match pidfd::open(pid) {
            // Looked at again after a moment: a monitor may go without ending, by becoming a cleaner that
            // wants what our caller holds.
            Ok(monitor) => drop(cx.cancel.wait_readable(Some(monitor.as_fd()), Some(LOOK_AGAIN))?),
            Err(Errno::ESRCH) => {}
            Err(errno) => return Err(errno).doing(|| format!("cannot wait for the monitor {pid}")),
        }
    }
    // It may have been a child of ours.
    drop(super::summon::monitors());
    Ok(())
}

/// Removes the control group of a root's monitors when the last of them was killed before it could do that.
pub fn sweep_monitors_group(root_id8: &str) -> Result<()> {
    remove_if_empty(&Hierarchies::discover()?, &monitors_path(root_id8));
    Ok(())
}

/// Kills what is left of a container whose monitor is dead, and removes its control groups, published
/// ports and run directory. `false` when the monitor lives: then nothing is done.
///
/// Goes on after a failure and reports all of them in one error.
pub fn sweep_dead(
    root_id8: &str,
    id: &str,
    container_dir: &Path,
    run_dir: &Path,
    network: &NetworkPlan,
) -> Result<bool> {
    if !container_dir.exists() {
        return sweep(root_id8, id, run_dir, network).map(|()| true);
    }
    // Held meanwhile, so that nobody starts the container anew under our hands.
    match RecordLock::try_take(&container_dir.join(LOCK_NAME))? {
        None => Ok(false),
        Some(_lock) => sweep(root_id8, id, run_dir, network).map(|()| true),
    }
}

fn sweep(root_id8: &str, id: &str, run_dir: &Path, network: &NetworkPlan) -> Result<()> {
    let hierarchies = Hierarchies::of_container(root_id8, id)?;
    let mut failures = remove_group(&hierarchies, &container_path(root_id8, id));
    // The monitor that was killed may have been the last one in it.
    remove_if_empty(&hierarchies, &monitors_path(root_id8));
    if let Err(error) = network::detach(network) {
        failures.push(error.message());
    }
    match std::fs::remove_dir_all(run_dir) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            failures.push(format!("`{}`: {error}", run_dir.display()));
        }
        _ => {}
    }
    if failures.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        crate::error::ErrorKind::Busy,
        format!("cannot clean up after container `{}`: {}", crate::model::short_id(id), failures.join("; ")),
    ))
}
