//! `kill`: a signal for the first process of a container, or for all.

use super::arguments::Kill;
use super::container::Container;
use crate::error::{IoContext, Result};
use crate::model::signal;
use crate::runtime::cgroup::Hierarchies;
use crate::runtime::namespaces::has_own_pid_namespace;
use crate::sys::pidfd;
use nix::errno::Errno;
use std::path::Path;

/// Sends it.
pub fn run(root: &Path, kill: &Kill) -> Result<()> {
    let container = Container::load(root, &kill.id)?;
    let signal = signal::number(&kill.signal)?;
    let hierarchies = Hierarchies::discover()?;
    let group = container.group(&hierarchies);
    if kill.all {
        // Also of one whose first process has ended: others may be left.
        return group.signal_all(signal);
    }
    send(&container, signal)?;
    if signal == libc::SIGKILL {
        // The end of a first process ends those of its namespace; without one of its own the others would go on.
        if !has_own_pid_namespace(&container.spec()?) {
            group.signal_all(signal)?;
        }
        if group.is_paused() {
            // On cgroup v1 what stands still does not even die.
            group.thaw()?;
        }
    }
    Ok(())
}

/// Sends it to the first process.
pub fn send(container: &Container, signal: i32) -> Result<()> {
    match pidfd::send_signal(container.running_init()?, signal) {
        // It has ended just now.
        Err(Errno::ESRCH) => container.running_init().map(drop),
        result => result.doing(|| format!("cannot send signal {signal} to `{}`", container.record.id)),
    }
}
