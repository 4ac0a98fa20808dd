//! Who is in a user's namespace: whoever holds the lock on one file shared. The kernel lists them in `/proc/locks`, so a
//! process that is killed leaves nothing behind, and the namespace needs no process of its own.

use super::{Privilege, places};
use crate::context::CancelToken;
use crate::error::{IoContext, Result};
use crate::sys::lock::{self, FileLock, LockMode};
use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::OnceLock;

/// Whoever is in the namespace holds it shared.
const MEMBERS: &str = "namespace.members";
/// Whoever looks for the namespace, or makes it, holds it.
const MAKING: &str = "namespace.making";

/// Held until the end of this process.
static MEMBERSHIP: OnceLock<FileLock> = OnceLock::new();

/// Held by whoever looks for the namespace until it is a member.
pub(super) fn hold_making(base: &Path) -> Result<FileLock> {
    FileLock::lock(open(base, MAKING)?, LockMode::Exclusive, &CancelToken::new())
}

/// Keeps the user's namespace for others to enter until this process ends; nothing to do for root. A process takes part
/// itself: what it inherited ends with who it inherited it from.
pub fn stay() -> Result<()> {
    let privilege = Privilege::current();
    if privilege.is_rootless() {
        register(&places::base_of_user(privilege.uid(), privilege.has_many_ids())?)
    } else {
        Ok(())
    }
}

pub(super) fn register(base: &Path) -> Result<()> {
    let lock = FileLock::lock(open(base, MEMBERS)?, LockMode::Shared, &CancelToken::new())?;
    // It is held already when this is called again.
    let _ = MEMBERSHIP.set(lock);
    Ok(())
}

/// The process ids of the members.
pub(super) fn pids(base: &Path) -> Vec<i32> {
    lock::sharers(&base.join(MEMBERS))
}

fn open(base: &Path, name: &str) -> Result<File> {
    let path = base.join(name);
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .doing(|| format!("cannot open `{}`", path.display()))
}
