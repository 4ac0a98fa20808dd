//! User namespaces with ids of their own where no mount maps owners, for ordinary users: the container works on copies of
//! its layers whose files have its ids, and so have what it changes and its volumes, whether it runs or not.
//!
//! So it keeps its ids as long as it is there. Those of `auto` are the first that no other container has, so that
//! the copies that one leaves are the next one's.

use super::{folder, ids, row::Row};
use crate::archive::copy_mapped;
use crate::context::Context;
use crate::error::{Error, IoContext, Result};
use crate::model::{IdMaps, MountSpec, Owner, UsernsSpec};
use crate::privilege::Privilege;
use crate::runtime::userns;
use crate::store::Store;
use crate::sys::lock::FileLock;
use crate::sys::node::Node;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};

/// Whose ids the files of a container have on the disk, and the copies of layers that have them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Mapped {
    /// The maps: outside are ids of the user's namespace.
    pub maps: IdMaps,
    /// Copies of the layers, the topmost first, which may not be there yet: [`layers`].
    pub layers: Vec<PathBuf>,
}

/// Decides the ids of a container that is being made, where that is to be decided now; the lock is to be held until its row
/// is written.
pub fn decide(store: &Store, cx: &Context, row: &mut Row) -> Result<Option<FileLock>> {
    let privilege = Privilege::current();
    if !privilege.is_rootless() {
        return Ok(None);
    }
    let (maps, lock) = match &row.spec.userns {
        UsernsSpec::Host | UsernsSpec::KeepId => return Ok(None),
        UsernsSpec::Maps(maps) => (maps.clone(), None),
        UsernsSpec::Auto => ids::choose_of_user(store, cx, privilege).map(|(maps, lock)| (maps, Some(lock)))?,
    };
    let layers = row.plan.layers.iter().map(|layer| store.mapped_layer(layer, &maps)).collect::<Result<_>>()?;
    row.plan.mapped = Some(Mapped { maps, layers });
    Ok(lock)
}

/// Gives what the container's root looks into to it: the folder of its changes, which is the `/` that it sees, and the place
/// where that is mounted.
pub fn give_folders(store: &Store, row: &Row) -> Result<()> {
    let Some(mapped) = &row.plan.mapped else { return Ok(()) };
    let root = userns::root_of(&mapped.maps);
    [folder::UPPER, folder::MERGED].into_iter().try_for_each(|name| give(&folder::file(store, &row.id, name), root))
}

fn give(folder: &Path, (uid, gid): Owner) -> Result<()> {
    chown(folder, Some(uid), Some(gid)).doing(|| format!("cannot give `{}` to the container", folder.display()))
}

/// The layers that the container is made of, the topmost first: copies are made where they are not there.
pub fn layers(store: &Store, cx: &Context, row: &Row) -> Result<Vec<PathBuf>> {
    let Some(Mapped { maps, layers }) = &row.plan.mapped else { return Ok(row.plan.layers.clone()) };
    if layers.iter().all(|layer| layer.is_dir()) {
        return Ok(layers.clone());
    }
    let content = store.content(&cx.cancel)?;
    let progress = cx.progress.start("copying layers for other ids", None);
    for (original, copy) in row.plan.layers.iter().zip(layers) {
        content
            .map_layer(copy, maps, &cx.cancel, |folder| copy_mapped(&open(original)?, &open(folder)?, maps, cx))
            .map_err(|error| error.context(format!("copying a layer of `{}`", row.image)))?;
    }
    drop(progress);
    Ok(layers.clone())
}

fn open(folder: &Path) -> Result<Node> {
    let doing = || format!("cannot open `{}`", folder.display());
    Node::of(File::open(folder).doing(doing)?.into()).doing(doing)
}

/// Gives a volume that is empty to the container's root, unless it is somebody's whom the container has. `is_shared`: other containers
/// have it.
///
/// # Errors
/// `conflict` when what is in it is nobody's in the container, who could not write it.
pub fn give_volume(row: &Row, mount: &MountSpec, data: &Path, is_shared: bool) -> Result<()> {
    let Some(Mapped { maps, .. }) = &row.plan.mapped else { return Ok(()) };
    let doing = || format!("cannot read `{}`", data.display());
    let metadata = data.metadata().doing(doing)?;
    let owner = (metadata.uid(), metadata.gid());
    if maps.on_host(maps.in_container(owner)) == Some(owner) {
        return Ok(());
    }
    if !is_shared && data.read_dir().doing(doing)?.next().is_none() {
        return give(data, userns::root_of(maps));
    }
    // What others may read can be looked at.
    if mount.read_only {
        return Ok(());
    }
    Err(Error::conflict(format!("volume `{}` belongs to other ids than those of the container", mount.source)).hint(
        "containers that share a volume need the same ids: give them the same `userns: #{ uid: […] }`, or use a new volume; or mount it read-only",
    ))
}
