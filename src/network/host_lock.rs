//! The lock on what the host has once for all roots: subnets, bridges, the forward policy.

use crate::context::CancelToken;
use crate::error::{ErrorKind, IoContext, Result};
use crate::privilege;
use crate::sys::lock::{FileLock, LockMode};
use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

/// Beside the run-time folders of the roots, which opening a store has made.
const NAME: &str = "host.lock";
/// Whoever holds it only talks to the kernel: milliseconds.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Waits for the lock. It comes before every other one (`ARCHITECTURE.md`, lock order).
pub fn hold() -> Result<FileLock> {
    let path = privilege::run_base()?.join(NAME);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .doing(|| format!("cannot open `{}`", path.display()))?;
    FileLock::lock(file, LockMode::Exclusive, &CancelToken::new().child_with_timeout(TIMEOUT)).map_err(|error| {
        let error = error.context("waiting for the lock of the host's network");
        if error.is(ErrorKind::Timeout) { error.as_kind(ErrorKind::Busy).hint("try again") } else { error }
    })
}
