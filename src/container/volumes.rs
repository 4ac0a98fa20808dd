//! The volumes of a container that is being made: which ones, filling them, and the rows.

use super::base::Base;
use super::files;
use super::mapped;
use super::row::Row;
use crate::context::Context;
use crate::error::{Error, IoContext, Result};
use crate::model::{ContainerSpec, Id, MountKind, MountSpec};
use crate::runtime::rootfs::Root;
use crate::runtime::subpath;
use crate::store::Store;
use crate::store::rusqlite::Transaction;
use crate::volume::{self, Draft, Filling};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use std::path::{Path, PathBuf};

/// What of a container's volumes is made together with its row.
#[derive(Default)]
pub struct Volumes<'a> {
    /// Names of those that were there before.
    named: Vec<String>,
    /// Those that are its own, by the names that they will have.
    own: Vec<(String, Draft<'a>)>,
}

/// Adds the volumes that the image asks for where nothing else is mounted, and names those without a name.
pub fn resolve(spec: &mut ContainerSpec, base: Base<'_>) -> Result<()> {
    // What is built is kept, also below a `VOLUME`.
    let config = base.image.and(base.config.config().as_ref());
    for target in config.and_then(|config| config.volumes().as_deref()).unwrap_or_default() {
        let target = Path::new("/").join(target);
        let is_taken = spec.mounts.iter().any(|mount| mount.target == target);
        if !is_taken {
            let mount = MountSpec::new(MountKind::Volume, "", &target.to_string_lossy())?;
            spec.mounts.push(MountSpec { from_image: true, ..mount });
        }
    }
    for mount in spec.mounts.iter_mut().filter(|mount| mount.kind == MountKind::Volume && mount.source.is_empty()) {
        mount.anonymous = true;
        Id::random()?.as_str().clone_into(&mut mount.source);
    }
    Ok(())
}

impl<'a> Volumes<'a> {
    /// Makes what is missing and fills what is empty with what the image has there. The caller has made the container's
    /// folder and holds its lock.
    pub fn make(store: &'a Store, cx: &Context, row: &Row) -> Result<Self> {
        let mut volumes = Self::default();
        let mut image = None;
        for mount in row.spec.mounts.iter().filter(|mount| mount.kind == MountKind::Volume) {
            let name = &mount.source;
            if mount.anonymous {
                let draft = Draft::make(store)?;
                if !mount.nocopy {
                    fill(store, cx, row, &mut image, mount, &draft.data())?;
                }
                mapped::give_volume(row, mount, &draft.data(), false)?;
                volumes.own.push((name.clone(), draft));
                continue;
            }
            volume::ensure(store, cx, name)?;
            if mount.subpath.is_some() {
                source(store, mount)?;
            } else if !mount.nocopy
                && let Some(filling) = Filling::begin(store, cx, name)?
            {
                fill(store, cx, row, &mut image, mount, filling.data())?;
                filling.done()?;
            }
            if row.plan.mapped.is_some() {
                let is_shared = !volume::users(store, name)?.is_empty();
                mapped::give_volume(row, mount, &volume::data(store, name)?, is_shared)?;
            }
            volumes.named.push(name.clone());
        }
        Ok(volumes)
    }

    /// Writes their rows behind the container's, in the same transaction.
    pub fn insert(&self, tx: &Transaction<'_>, container: &Id) -> Result<()> {
        for name in &self.named {
            volume::attach(tx, name, container.as_str(), false)?;
        }
        // Last: a transaction that fails has not brought their folders to their places.
        for (name, draft) in &self.own {
            volume::anonymous(tx, draft, name)?;
            volume::attach(tx, name, container.as_str(), true)?;
        }
        Ok(())
    }

    /// Tells that the container's own were made.
    pub fn record(&self, store: &Store) {
        for (name, _) in &self.own {
            volume::created(store, name);
        }
    }
}

/// Copies what the image has at the mount's target; nothing when it has nothing there.
fn fill(
    store: &Store,
    cx: &Context,
    row: &Row,
    image: &mut Option<Root>,
    mount: &MountSpec,
    data: &Path,
) -> Result<()> {
    let root = match image {
        Some(root) => root,
        None => image.insert(Root::new(files::mount_bare(store, cx, row)?)),
    };
    let name = &mount.target.display();
    files::fill(cx, root, &mount.target, data, row.plan.mapped.as_ref().map(|mapped| &mapped.maps))
        .map_err(|error| error.context(format!("filling the volume at `{name}` from the image")))
}

/// The host's path of what a mount of a volume shows. What is below a sub path is only looked at here: the runtime finds it
/// anew, inside the volume.
pub fn source(store: &Store, mount: &MountSpec) -> Result<PathBuf> {
    let data = volume::data(store, &mount.source)?;
    let Some(below) = &mount.subpath else { return Ok(data) };
    let doing = || format!("cannot open `{below}` in volume `{}`", mount.source);
    let folder = open(&data, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty()).doing(doing)?;
    match subpath::open(folder, below) {
        Err(Errno::ENOENT | Errno::ENOTDIR) => {
            Err(Error::not_found(format!("there is no `{below}` in volume `{}`", mount.source))
                .hint("make it first, in a container that has the whole volume, or leave `subpath` out"))
        }
        opened => opened.doing(doing).map(|_| data),
    }
}
