//! The way to the files of a container from outside.

use super::place::Side;
use super::stopped::{self, Mounted};
use crate::container::row::Row;
use crate::container::{lock, lookup, monitor, state};
use crate::context::Context;
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::model::{IdMaps, UsernsSpec};
use crate::runtime::rootfs::Root;
use crate::runtime::{bundle, control, program, userns};
use crate::store::Store;
use crate::sys::file_owner::FileOwner;
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
    /// Whose ids its files have: of one that runs in a user namespace of its own, or has them on the disk; `None`: their own.
    ids: Option<IdMaps>,
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
            let lock = match settled {
                Settled::Runs(process) => match opened(&process, "root")? {
                    Some(root) => {
                        let (root, ids) = (Root::new(root), ids_of_running(store, &row)?);
                        return Ok(Self { root, process: Some(process), ids, _mounted: None, _lock: None });
                    }
                    None => continue,
                },
                Settled::Stopped(lock) => lock,
            };
            // One that was never started has no places for its mounts yet: they are made, as Docker does.
            let new = row.state.started.is_none() && !row.spec.mounts.is_empty();
            let (mounted, root) = stopped::mount(store, cx, &row, if new { Purpose::Write } else { purpose })?;
            return Ok(Self {
                root,
                process: None,
                ids: ids_of_stopped(&row),
                _mounted: Some(mounted),
                _lock: Some(lock),
            });
        }
    }
}

impl Access {
    /// As a side of a copy.
    pub fn side(&self) -> Side<'_> {
        Side { root: &self.root, place: "in the container", ids: self.ids.as_ref() }
    }

    /// Makes files as the container's root, who alone can, as long as the result lives: owners that its user namespace
    /// does not have are none there.
    pub fn as_root(&self) -> Result<Option<FileOwner>> {
        let enter = |maps| FileOwner::enter(userns::root_of(maps), program::available_capabilities());
        self.ids.as_ref().map(enter).transpose().doing(|| "cannot act as the container's root")
    }

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

/// The root file system of a container without what is mounted in it, to be read.
pub struct BareRoot {
    /// It.
    pub root: OwnedFd,
    /// Whose ids its files have; `None`: their own.
    pub ids: Option<IdMaps>,
    /// Keeps one that does not run from being started.
    pub lock: Option<FileLock>,
}

/// Opens the root file system of a container.
pub fn bare_root(store: &Store, cx: &Context, mut row: Row) -> Result<BareRoot> {
    loop {
        match settle(store, cx, &mut row)? {
            Settled::Runs(process) => {
                if let Some(namespace) = opened(&process, "ns/mnt")? {
                    return Ok(BareRoot {
                        root: bare_root_in(namespace)?,
                        ids: ids_of_running(store, &row)?,
                        lock: None,
                    });
                }
            }
            Settled::Stopped(lock) => {
                let root = stopped::mount_bare(store, cx, &row)?;
                return Ok(BareRoot { root, ids: ids_of_stopped(&row), lock: Some(lock) });
            }
        }
    }
}

enum Settled {
    /// Its first process.
    Runs(ProcessIdentity),
    /// The lock under which it stays so.
    Stopped(FileLock),
}

/// From outside the files of a container with a user namespace have the host's ids while it runs: those that its
/// bundle maps.
fn ids_of_running(store: &Store, row: &Row) -> Result<Option<IdMaps>> {
    if row.spec.userns == UsernsSpec::Host {
        return Ok(None);
    }
    bundle::read(&monitor::run_dir(store, &row.id)).map(|spec| Some(userns::maps_of(&spec)))
}

/// Those that its files have on the disk.
fn ids_of_stopped(row: &Row) -> Option<IdMaps> {
    row.plan.mapped.as_ref().map(|mapped| mapped.maps.clone())
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
