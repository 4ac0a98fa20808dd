//! The folder of a container: made whole and locked before anybody can see it, taken away in one step.

use super::lock;
use crate::error::{IoContext, Result};
use crate::model::Id;
use crate::store::{Store, draft};
use crate::sys::lock::FileLock;
use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::PathBuf;

/// Where changes to the root file system go.
pub const UPPER: &str = "upper";
/// The work folder that overlayfs wants beside it.
pub const WORK: &str = "work";
/// Mount point of the root file system, inside the container's mount namespace only.
pub const MERGED: &str = "merged";

/// Makes the folder; the caller holds its lock. While that is held, a folder without a row is one that is
/// being made; once it is free, it is what a killed process left.
pub fn make(store: &Store, id: &Id) -> Result<FileLock> {
    let target = store.container_dir(id.as_str());
    let doing = || format!("cannot make `{}`", target.display());
    let draft = store.container_dir(&draft::name()?);
    let folder = |path: PathBuf| DirBuilder::new().mode(0o700).create(path);
    folder(draft.clone()).doing(doing)?;
    for name in [UPPER, WORK, MERGED] {
        folder(draft.join(name)).doing(doing)?;
    }
    // The container's `/` has its mode, whatever our umask is.
    fs::set_permissions(draft.join(UPPER), Permissions::from_mode(0o755)).doing(doing)?;
    let lock = lock::lock_new(&draft)?;
    fs::rename(&draft, &target).doing(doing)?;
    Ok(lock)
}

/// Takes the folder away: out of sight at once, deleted by and by.
pub fn discard(store: &Store, id: &Id) -> Result<()> {
    store.discard(&store.container_dir(id.as_str()))
}

/// Folders that no row knows and nobody is making: what killed processes left. The ids of those that had
/// come to their full name, so that the rest of the container can be looked for.
pub fn sweep(store: &Store, known: impl Fn(&Id) -> Result<bool>) -> Result<Vec<Id>> {
    let folder = store.container_dir("");
    let doing = || format!("cannot list `{}`", folder.display());
    let mut orphans = Vec::new();
    for entry in fs::read_dir(&folder).doing(doing)? {
        let name = entry.doing(doing)?.file_name().to_string_lossy().into_owned();
        if let Some(has_maker) = draft::has_maker(&name) {
            if !has_maker {
                store.discard(&folder.join(&name))?;
            }
        } else if let Some(id) = Id::parse(&name)
            && !known(&id)?
            // Once more under the lock: whoever makes the container holds it until the row is there.
            && let Some(_lock) = lock::try_lock(store, &id)?
            && !known(&id)?
        {
            orphans.push(id);
        }
    }
    Ok(orphans)
}

/// The path of a file in the folder.
pub fn file(store: &Store, id: &Id, name: &str) -> PathBuf {
    store.container_dir(id.as_str()).join(name)
}
