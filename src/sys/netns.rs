//! Network namespaces (`network_namespaces(7)`).

use crate::error::{IoContext, Result};
use nix::sched::{CloneFlags, setns, unshare};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic::resume_unwind;
use std::thread;

/// The network namespace of this thread.
pub fn current() -> Result<OwnedFd> {
    // Not `/proc/self`: that is the main thread's.
    let path = "/proc/thread-self/ns/net";
    File::open(path).map(OwnedFd::from).doing(|| format!("cannot open `{path}`"))
}

/// Runs `work` in another network namespace: on this thread, which returns, where the kernel lets it return, else on one of
/// its own that ends. Other threads stay where they are, so never call it on a thread of a pool.
///
/// # Panics
/// When `work` does, and when the kernel does not let it return although it said that it would.
pub fn inside<T: Send>(netns: BorrowedFd<'_>, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let enter = |netns| setns(netns, CloneFlags::CLONE_NEWNET).doing(|| "cannot enter the network namespace");
    let here = current()?;
    // The machine's own namespace is not one that the root of a user namespace may come back to.
    if setns(here.as_fd(), CloneFlags::CLONE_NEWNET).is_err() {
        return alone(|| enter(netns).and_then(|()| work()));
    }
    enter(netns)?;
    let result = work();
    setns(here.as_fd(), CloneFlags::CLONE_NEWNET)
        .expect("a namespace we came from, entered with the right that let us leave it");
    result
}

/// Runs `work` on a thread that ends, and waits for it.
pub fn alone<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().spawn_scoped(scope, work).doing(|| "cannot start a thread")?;
        thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

/// Moves this thread into a new network namespace, where nothing is up. For threads that end soon.
pub fn unshare_thread() -> Result<OwnedFd> {
    unshare(CloneFlags::CLONE_NEWNET).doing(|| "cannot make a network namespace")?;
    current()
}

/// Moves this thread into another network namespace, for good.
pub fn enter(netns: BorrowedFd<'_>) -> Result<()> {
    setns(netns, CloneFlags::CLONE_NEWNET).doing(|| "cannot enter the network namespace")
}
