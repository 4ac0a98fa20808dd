//! The way to the files of a container from outside.

use super::stopped::{self, Mounted};
use crate::container::row::Row;
use crate::container::{lock, lookup, state};
use crate::context::Context;
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::model::UsernsSpec;
use crate::runtime::control;
use crate::runtime::rootfs::Root;
use crate::store::Store;
use crate::sys::lock::FileLock;
use crate::sys::mount::clone_tree;
use crate::sys::process::ProcessIdentity;
use nix::fcntl::{AT_FDCWD, OFlag, open};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::stat::Mode;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

/// How often to look whether a container that is being started again runs.
const POLL: Duration = Duration::from_millis(20);

/// The root of a container as the container sees it: with volumes, and, while it runs, everything else that is
/// mounted in it.
pub struct Access {
    pub root: Root,
    /// Its first process, when it runs.
    process: Option<ProcessIdentity>,
    // In this order: unmounted before the container may be started.
    _mounted: Option<Mounted>,
    _lock: Option<FileLock>,
}

/// What the files are wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// They stay as they are.
    Read,
    /// They are changed.
    Write,
}

impl Access {
    /// Opens the files of a container. One that does not run cannot be started until this is dropped.
    pub fn open(store: &Store, cx: &Context, mut row: Row, purpose: Purpose) -> Result<Self> {
        loop {
            let settled = settle(store, cx, &mut row)?;
            if purpose == Purpose::Write {
                check_owners(&settled, &row, "changed")?;
            }
            let lock = match settled {
                Settled::Runs(process) => match opened(&process, "root")? {
                    Some(root) => {
                        let root = Root::new(root);
                        return Ok(Self { root, process: Some(process), _mounted: None, _lock: None });
                    }
                    None => continue,
                },
                Settled::Stopped(lock) => lock,
            };
            // One that was never started has no places for its mounts yet: they are made, as Docker does.
            let new = row.state.started.is_none() && !row.spec.mounts.is_empty();
            let (mounted, root) = stopped::mount(store, cx, &row, if new { Purpose::Write } else { purpose })?;
            return Ok(Self { root, process: None, _mounted: Some(mounted), _lock: Some(lock) });
        }
    }
}

impl Access {
    /// Fails when the container has ended since: what was mounted in it went away meanwhile.
    pub fn check(&self) -> Result<()> {
        match &self.process {
            Some(process) if !process.is_alive() => {
                Err(Error::new(ErrorKind::Busy, "the container ended meanwhile: the copy may not be whole")
                    .hint("copy again"))
            }
            _ => Ok(()),
        }
    }
}

/// The root file system of a container without what is mounted in it, to be read; and the lock that keeps one that
/// does not run from being started.
pub fn bare_root(store: &Store, cx: &Context, mut row: Row) -> Result<(OwnedFd, Option<FileLock>)> {
    loop {
        let settled = settle(store, cx, &mut row)?;
        check_owners(&settled, &row, "exported")?;
        match settled {
            Settled::Runs(process) => {
                if let Some(namespace) = opened(&process, "ns/mnt")? {
                    return Ok((bare_root_in(namespace)?, None));
                }
            }
            Settled::Stopped(lock) => return Ok((stopped::mount_bare(store, &row)?, Some(lock))),
        }
    }
}

enum Settled {
    /// Its first process.
    Runs(ProcessIdentity),
    /// The lock under which it stays so.
    Stopped(FileLock),
}

/// From outside the files of a container with a user namespace have the host's owners while it runs: none of ours.
fn check_owners(settled: &Settled, row: &Row, what: &str) -> Result<()> {
    if row.spec.userns == UsernsSpec::Host || matches!(settled, Settled::Stopped(_)) {
        return Ok(());
    }
    Err(Error::unsupported(format!(
        "the files of container `{}` cannot be {what} from outside while it runs in its own user namespace",
        row.name
    ))
    .hint("stop it first, or do it inside with `exec`"))
}

/// Waits until a container runs, or does not and will not.
fn settle(store: &Store, cx: &Context, row: &mut Row) -> Result<Settled> {
    loop {
        cx.check()?;
        if let Some(state) = state::refresh(store, row)? {
            match state.process.filter(ProcessIdentity::is_alive) {
                Some(process) => return Ok(Settled::Runs(process)),
                // Between its end and its next start nobody may touch what its monitor is about to mount.
                None => cx.cancel.sleep(POLL)?,
            }
            continue;
        }
        let Some(lock) = lock::lock(store, &row.id, &cx.cancel)? else {
            return Err(lookup::not_found(&row.name, &[]));
        };
        if state::refresh_locked(store, row)?.is_none() {
            control::wait_until_gone(cx, &store.container_dir(row.id.as_str()))?;
            return Ok(Settled::Stopped(lock));
        }
    }
}

/// What a magic link of a process's `/proc` folder means; `None` when the process has ended.
fn opened(process: &ProcessIdentity, link: &str) -> Result<Option<OwnedFd>> {
    let path = format!("/proc/{}/{link}", process.pid);
    let flags = if link == "root" { OFlag::O_PATH | OFlag::O_DIRECTORY } else { OFlag::O_RDONLY };
    let opened = open(path.as_str(), flags | OFlag::O_CLOEXEC, Mode::empty());
    // Before it was opened the pid may have become another process's, afterwards that does no harm.
    if !process.is_alive() {
        return Ok(None);
    }
    opened.doing(|| format!("cannot open `{path}`")).map(Some)
}

fn bare_root_in(namespace: OwnedFd) -> Result<OwnedFd> {
    stopped::on_own_thread(move || {
        let doing = || "cannot enter the container's mounts";
        // Its working directory and root are then of this thread alone (setns(2)).
        unshare(CloneFlags::CLONE_FS).and_then(|()| setns(namespace, CloneFlags::CLONE_NEWNS)).doing(doing)?;
        clone_tree(AT_FDCWD, Path::new("/"), false).doing(doing)
    })
}
