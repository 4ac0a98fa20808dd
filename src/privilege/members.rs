//! Who is in a user's namespace: whoever holds the lock on one file shared. The kernel lists them in `/proc/locks`, so a
//! process that is killed leaves nothing behind, and the namespace needs no process of its own.

use super::{Privilege, places};
use crate::context::CancelToken;
use crate::error::{IoContext, Result};
use crate::sys::lock::{FileLock, LockMode};
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
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
    if privilege.is_rootless() { register(&places::base_of_user(privilege.uid())?) } else { Ok(()) }
}

pub(super) fn register(base: &Path) -> Result<()> {
    let lock = FileLock::lock(open(base, MEMBERS)?, LockMode::Shared, &CancelToken::new())?;
    // It is held already when this is called again.
    let _ = MEMBERSHIP.set(lock);
    Ok(())
}

/// The process ids of the members.
pub(super) fn pids(base: &Path) -> Vec<i32> {
    let Ok(metadata) = fs::metadata(base.join(MEMBERS)) else { return Vec::new() };
    let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
    holders(&locks, metadata.ino())
}

/// Who holds a shared flock(2) on a file (proc_locks(5)).
fn holders(locks: &str, inode: u64) -> Vec<i32> {
    let holder = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", _, "READ", pid, place, ..] = fields[..] else { return None };
        (place.rsplit(':').next()?.parse() == Ok(inode)).then_some(())?;
        pid.parse().ok().filter(|pid| *pid > 0)
    };
    locks.lines().filter_map(holder).collect()
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

#[cfg(test)]
mod tests {
    use super::holders;

    #[test]
    fn holders_are_read_from_the_kernels_list() {
        let locks = "1: POSIX  ADVISORY  READ 5 fe:00:77 0 EOF\n\
                     2: FLOCK  ADVISORY  READ 6 fe:00:77 0 EOF\n\
                     2: -> FLOCK  ADVISORY  READ 8 fe:00:77 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 7 fe:00:77 0 EOF\n\
                     4: FLOCK  ADVISORY  READ 9 fe:00:78 0 EOF\n\
                     5: FLOCK  ADVISORY  READ -1 fe:00:77 0 EOF\n";
        assert_eq!(holders(locks, 77), [6]);
    }
}
