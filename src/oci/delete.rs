//! `delete`: takes a container away, with all that `create` has made.

use super::arguments::Delete;
use super::container::{Container, Status};
use super::kill;
use super::log::Log;
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::runtime::cgroup::{Hierarchies, remove_group, remove_if_empty};
use crate::runtime::hooks;
use crate::sys::pidfd;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::os::fd::AsFd;
use std::path::Path;

/// How long a killed process may take to end, milliseconds.
const PATIENCE: u16 = 10_000;

/// Deletes it.
pub fn run(root: &Path, delete: &Delete, log: &Log) -> Result<()> {
    let container = match Container::load(root, &delete.id) {
        Err(error) if error.is(ErrorKind::NotFound) && delete.force => return Ok(()),
        other => other?,
    };
    match container.status()? {
        Status::Running | Status::Paused if !delete.force => {
            let status = container.status()?.name();
            return Err(Error::conflict(format!(
                "cannot delete container `{}` that is not stopped: {status}",
                delete.id
            ))
            .hint("stop it first: `shanty oci kill`, or use `--force`"));
        }
        _ => end(&container)?,
    }
    take_away(&container, log);
    Ok(())
}

/// Kills the first process and waits for its end.
fn end(container: &Container) -> Result<()> {
    let Some(init) = container.init() else { return Ok(()) };
    match kill::send(container, libc::SIGKILL) {
        Err(error) if container.init().is_some() => return Err(error),
        _ => {}
    }
    let hierarchies = Hierarchies::discover()?;
    if container.group(&hierarchies).is_paused() {
        container.group(&hierarchies).thaw()?;
    }
    wait_for_end(&init, PATIENCE)
}

/// Waits until a process has ended.
pub fn wait_for_end(process: impl AsFd, milliseconds: u16) -> Result<()> {
    let mut fds = [PollFd::new(process.as_fd(), PollFlags::POLLIN)];
    loop {
        match poll(&mut fds, PollTimeout::from(milliseconds)) {
            Err(Errno::EINTR) => {}
            Ok(0) => return Err(Error::new(ErrorKind::Timeout, "the first process of the container does not end")),
            other => return other.map(drop).doing(|| "cannot wait for the end of the container"),
        }
    }
}

/// Removes its groups and what is written down, and executes its last hooks. Goes on after a failure and tells of it.
pub fn take_away(container: &Container, log: &Log) {
    if let Some(init) = container.init() {
        let _ = pidfd::send_signal(&init, libc::SIGKILL);
        let _ = wait_for_end(&init, PATIENCE);
    }
    match Hierarchies::discover() {
        Ok(hierarchies) => {
            for left in remove_group(&hierarchies, &container.record.cgroup) {
                log.warning(&format!("the control group {left} could not be removed"));
            }
            // The parent is ours when the bundle named no group.
            if let Some(parent) = container.record.cgroup.parent().filter(|parent| parent.starts_with("shanty-oci")) {
                remove_if_empty(&hierarchies, parent);
            }
        }
        Err(error) => log.warning(&error.message()),
    }
    if let Ok(spec) = container.spec() {
        let hooks = spec.hooks().as_ref().and_then(|hooks| hooks.poststop().as_ref());
        for hook in hooks.into_iter().flatten() {
            // The specification: what fails is told, and the others are executed all the same.
            if let Err(error) = hooks::run("poststop", Some(&vec![hook.clone()]), &container.state(Status::Stopped)) {
                log.warning(&error.message());
            }
        }
    }
    if let Err(error) = std::fs::remove_dir_all(&container.dir) {
        log.warning(&format!("`{}` could not be removed: {error}", container.dir.display()));
    }
}
