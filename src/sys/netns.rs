//! Network namespaces (`network_namespaces(7)`).

use crate::error::{IoContext, Result};
use nix::sched::{CloneFlags, setns, unshare};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The network namespace of this thread.
pub fn current() -> Result<OwnedFd> {
    // Not `/proc/self`: that is the main thread's.
    let path = "/proc/thread-self/ns/net";
    File::open(path).map(OwnedFd::from).doing(|| format!("cannot open `{path}`"))
}

/// Runs `work` with this thread in another network namespace, and returns. Other threads stay where
/// they are, so never call it on a thread of a pool.
///
/// # Panics
/// When the kernel does not let it return: the thread could only go on in the wrong place.
pub fn inside<T>(netns: BorrowedFd<'_>, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let here = current()?;
    setns(netns, CloneFlags::CLONE_NEWNET).doing(|| "cannot enter the network namespace")?;
    let result = work();
    setns(here.as_fd(), CloneFlags::CLONE_NEWNET)
        .expect("a namespace we came from, entered with the right that let us leave it");
    result
}

/// Moves this thread into a new network namespace, where nothing is up. For threads that end soon.
pub fn unshare_thread() -> Result<OwnedFd> {
    unshare(CloneFlags::CLONE_NEWNET).doing(|| "cannot make a network namespace")?;
    current()
}
