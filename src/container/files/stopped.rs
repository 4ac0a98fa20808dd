//! The files of a container that does not run: its layers and volumes, mounted where nobody else sees them.

use super::access::Purpose;
use crate::container::row::Row;
use crate::container::{folder, mapped};
use crate::context::Context;
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::model::{MountKind, MountSpec};
use crate::runtime::overlay::Overlay;
use crate::runtime::rootfs::{Missing, Root, is_kind};
use crate::runtime::subpath;
use crate::store::Store;
use crate::sys::mount::{MountAttrs, Propagation, attach, clone_tree, set_attributes};
use crate::volume;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, open};
use nix::mount::{MsFlags, mount as mount_flags};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::{Mode, SFlag, fstat};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

/// A mount namespace, which lasts as long as this: a thread is in it, and waits. Dropped, all is unmounted.
pub struct Mounted {
    release: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Mounted {
    fn drop(&mut self) {
        drop(self.release.take());
        if let Some(thread) = self.thread.take() {
            // It cannot panic: it waits for the sender to go.
            drop(thread.join());
        }
    }
}

/// What is mounted, taken out of the row: it goes to another thread.
struct Plan {
    layers: Vec<PathBuf>,
    upper: PathBuf,
    work: PathBuf,
    merged: PathBuf,
    mounts: Vec<MountSpec>,
    /// Its own files are not to be changed, those of its mounts may be.
    read_only: bool,
    purpose: Purpose,
}

/// Mounts the container's root file system and the folders of the host that it has. The caller holds its lock.
pub fn mount(store: &Store, cx: &Context, row: &Row, purpose: Purpose) -> Result<(Mounted, Root)> {
    // Until the overlay holds them.
    let _layers = store.use_layers(&row.plan.layers)?;
    let plan = Plan { mounts: mounts(store, row)?, ..plan(store, cx, row, purpose)? };
    let (release, released) = channel::<()>();
    let (report, reported) = channel();
    let thread = std::thread::Builder::new()
        .name("files".to_owned())
        .spawn(move || hold(&plan, &report, &released))
        .doing(|| "cannot start a thread")?;
    let mounted = Mounted { release: Some(release), thread: Some(thread) };
    let (root, missing) = reported.recv().map_err(|_| Error::new(ErrorKind::Io, "a thread ended early"))??;
    for source in missing {
        cx.progress.warn(&format!("`{source}`, which container `{}` mounts, is not there", row.name));
    }
    Ok((mounted, root))
}

/// The root file system alone, to be read, mounted nowhere. The caller holds the container's lock.
pub fn mount_bare(store: &Store, cx: &Context, row: &Row) -> Result<OwnedFd> {
    let _layers = store.use_layers(&row.plan.layers)?;
    let plan = plan(store, cx, row, Purpose::Read)?;
    on_own_thread(move || own_namespace().and_then(|()| plan.overlay()))
}

fn plan(store: &Store, cx: &Context, row: &Row, purpose: Purpose) -> Result<Plan> {
    let file = |name| folder::file(store, &row.id, name);
    let (upper, work) = row.plan.changes.clone().unwrap_or_else(|| (file(folder::UPPER), file(folder::WORK)));
    let (layers, read_only) = (mapped::layers(store, cx, row)?, row.spec.read_only);
    Ok(Plan { layers, upper, work, merged: file(folder::MERGED), mounts: Vec::new(), read_only, purpose })
}

/// Folders of the host and volumes, which have become such folders.
fn mounts(store: &Store, row: &Row) -> Result<Vec<MountSpec>> {
    let mut mounts: Vec<MountSpec> =
        row.spec.mounts.iter().filter(|mount| mount.kind != MountKind::Tmpfs).cloned().collect();
    for mount in mounts.iter_mut().filter(|mount| mount.kind == MountKind::Volume) {
        mount.source = volume::data(store, &mount.source)?.display().to_string();
    }
    // A mount below another one comes after it.
    mounts.sort_by_key(|mount| mount.target.components().count());
    Ok(mounts)
}

/// Runs something on a thread of its own, which may then leave the namespaces of this process.
pub fn on_own_thread<T: Send + 'static>(run: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let thread = std::thread::Builder::new().name("files".to_owned()).spawn(run).doing(|| "cannot start a thread")?;
    thread.join().unwrap_or_else(|_| Err(Error::new(ErrorKind::Io, "a thread ended early")))
}

type Report = Result<(Root, Vec<String>)>;

/// Mounts, says so, and stays until it is released: the namespace goes with its last thread.
fn hold(plan: &Plan, report: &Sender<Report>, released: &Receiver<()>) {
    let mounted = own_namespace().and_then(|()| plan.mount());
    if report.send(mounted).is_ok() {
        // Nothing is ever sent: this ends when the sender does.
        let _ = released.recv();
    }
}

fn own_namespace() -> Result<()> {
    let doing = || "cannot make a mount namespace";
    unshare(CloneFlags::CLONE_NEWNS).doing(doing)?;
    // What is unmounted on the host meanwhile goes here too: else it would stay busy.
    let flags = MsFlags::MS_REC | MsFlags::MS_SLAVE;
    mount_flags(None::<&str>, "/", None::<&str>, flags, None::<&str>).doing(doing)
}

impl Plan {
    fn overlay(&self) -> Result<OwnedFd> {
        let read_only = self.purpose == Purpose::Read;
        let attrs = if read_only { MountAttrs::READ_ONLY } else { MountAttrs::empty() };
        // Reading needs no work folder: then its changes are one more layer.
        let layers: Vec<PathBuf> = read_only.then_some(&self.upper).into_iter().chain(&self.layers).cloned().collect();
        let upper = (!read_only).then_some((self.upper.as_path(), self.work.as_path()));
        Overlay { lower: &layers, upper, volatile: false }.mount(attrs, Some(&self.merged))
    }

    fn mount(&self) -> Report {
        let tree = self.overlay()?;
        let place = open(&self.merged, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty());
        let doing = || "cannot mount the container's files";
        attach(&tree, place.doing(doing)?).doing(doing)?;
        let root = Root::new(tree);
        let mut missing = Vec::new();
        for mount in &self.mounts {
            if !self.bind(&root, mount)? {
                missing.push(mount.source.clone());
            }
        }
        if self.read_only {
            // Only now: places for mounts may have been made.
            set_attributes(&root, MountAttrs::READ_ONLY, None, false).doing(doing)?;
        }
        Ok((root, missing))
    }

    /// Binds a folder of the host or a volume; `false` when it is not there.
    fn bind(&self, root: &Root, mount: &MountSpec) -> Result<bool> {
        let doing = || format!("cannot mount `{}` on `{}`", mount.source, mount.target.display());
        let cloned = match &mount.subpath {
            Some(below) => subpath::clone(mount.source.as_ref(), below, true),
            None => clone_tree(AT_FDCWD, mount.source.as_ref(), true),
        };
        let tree: OwnedFd = match cloned {
            Err(Errno::ENOENT) => return Ok(false),
            other => other.doing(doing)?,
        };
        let attrs = match (mount.read_only, self.purpose) {
            (false, Purpose::Write) => MountAttrs::empty(),
            _ => MountAttrs::READ_ONLY,
        };
        set_attributes(&tree, attrs, Some(Propagation::Private), true).doing(doing)?;
        let is_folder = is_kind(&fstat(&tree).doing(doing)?, SFlag::S_IFDIR);
        let place = match self.purpose {
            Purpose::Write => {
                root.open_or_create(&mount.target, if is_folder { Missing::Directory } else { Missing::File })?
            }
            // Its place may have been removed since.
            Purpose::Read => match root.open(&mount.target, OFlag::O_PATH) {
                Err(Errno::ENOENT) => return Ok(true),
                other => other.doing(doing)?,
            },
        };
        attach(&tree, &place).doing(doing).map(|()| true)
    }
}
