//! `start`: lets the program of a container begin.

use super::container::{Container, START_SOCKET, Status, open_place, start_address};
use crate::error::{Error, IoContext, Result};
use crate::runtime::hooks;
use crate::runtime::report::Report;
use crate::sys::pidfd;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, connect, socket};
use nix::unistd::write;
use std::os::fd::AsRawFd;
use std::path::Path;

/// Starts it; returns when its program was executed.
pub fn run(root: &Path, id: &str) -> Result<()> {
    start(&Container::load(root, id)?)
}

/// The same.
pub fn start(container: &Container) -> Result<()> {
    match container.status()? {
        Status::Created => {}
        Status::Stopped => {
            return Err(
                Error::conflict("cannot start a container that has stopped").hint("delete it and create it again")
            );
        }
        status => {
            return Err(Error::conflict(format!("cannot start a container that is {}", status.name())));
        }
    }
    let doing = || "cannot reach the first process of the container";
    let caller = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).doing(doing)?;
    let place = open_place(&container.dir)?;
    connect(caller.as_raw_fd(), &start_address(&place).doing(doing)?).doing(doing)?;
    write(&caller, b"g").doing(doing)?;
    // Until the exec closes its end.
    let report = Report::read(caller);
    // Whether it began or not: it waits no more.
    let _ = std::fs::remove_file(container.dir.join(START_SOCKET));
    if let Some(failure) = report.failure {
        return Err(failure.into());
    }
    let spec = container.spec()?;
    let poststart = spec.hooks().as_ref().and_then(|hooks| hooks.poststart().as_ref());
    hooks::run("poststart", poststart, &container.state(Status::Running)).inspect_err(|_| {
        if let Some(init) = container.init() {
            let _ = pidfd::send_signal(init, libc::SIGKILL);
        }
    })
}
