//! The right to add blobs and layers: a guard that keeps the sweep out.

use super::{Store, layout};
use crate::context::CancelToken;
use crate::error::{IoContext, Result};
use crate::sys::lock::{FileLock, LockMode};

/// Held while blobs and layers are added that no row refers to yet, until those rows are written.
/// Any number of processes may hold it; [`Store::sweep`] does nothing meanwhile.
pub struct Content<'a> {
    pub(super) store: &'a Store,
    _lock: FileLock,
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

    /// An empty folder on the file system of the layers. Dropped, it is gone.
    pub fn scratch(&self) -> Result<tempfile::TempDir> {
        let folder = self.store.root.join(layout::PARTIAL_LAYERS);
        tempfile::Builder::new()
            .prefix("scratch-")
            .tempdir_in(&folder)
            .doing(|| format!("cannot make a folder in `{}`", folder.display()))
    }
}
