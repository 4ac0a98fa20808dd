//! The right to add blobs and layers: a guard that keeps the sweep out.

use super::{Store, layout};
use crate::context::CancelToken;
use crate::error::{IoContext, Result};
use crate::sys::lock::{FileLock, LockMode};
use std::fs::File;
use std::path::PathBuf;

/// Held while blobs and layers are added that no row refers to yet, until those rows are written.
/// Any number of processes may hold it; [`Store::sweep`] does nothing meanwhile.
pub struct Content<'a> {
    pub(super) store: &'a Store,
    _lock: FileLock,
}

/// See [`Content::claim`].
pub struct Claim {
    path: PathBuf,
    _lock: FileLock,
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Before the lock goes: who has waited finds that the name is gone, and makes it anew.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Store {
    /// Starts adding content. Waits at most for a sweep that is under way, which is short.
    pub fn content(&self, cancel: &CancelToken) -> Result<Content<'_>> {
        let file = layout::open_lock(&self.root.join(layout::CONTENT_LOCK))?;
        Ok(Content { store: self, _lock: FileLock::lock(file, LockMode::Shared, cancel)? })
    }

    /// The exclusive side of [`Self::content`]; `None` while anybody adds content.
    pub(super) fn try_exclude_content(&self) -> Result<Option<FileLock>> {
        let path = self.root.join(layout::CONTENT_LOCK);
        let lock = FileLock::try_lock(layout::open_lock(&path)?, LockMode::Exclusive)
            .doing(|| format!("cannot lock `{}`", path.display()))?;
        Ok(lock.ok())
    }
}

impl<'a> Content<'a> {
    /// The store that is added to.
    pub fn store(&self) -> &'a Store {
        self.store
    }

    /// The right to make what this key names, once: whoever asks for the same one meanwhile, thread or process, waits.
    pub fn claim(&self, key: &str, cancel: &CancelToken) -> Result<Claim> {
        let path = self.store.root.join(layout::PARTIAL_LAYERS).join(format!("claim-{key}"));
        let open = || File::options().write(true).create(true).truncate(false).open(&path);
        Ok(Claim { _lock: FileLock::lock_path(&path, open, cancel)?, path })
    }

    /// An empty folder on the file system of the layers. Dropped, it is gone.
    pub fn scratch(&self) -> Result<tempfile::TempDir> {
        let folder = self.store.root.join(layout::PARTIAL_LAYERS);
        tempfile::Builder::new()
            .prefix("scratch-")
            .tempdir_in(&folder)
            .doing(|| format!("cannot make a folder in `{}`", folder.display()))
    }
}
