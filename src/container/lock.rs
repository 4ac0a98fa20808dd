//! The lock of one container: who starts, ends or removes it holds it. Reading needs no lock.

use crate::context::CancelToken;
use crate::error::{IoContext, Result};
use crate::model::Id;
use crate::store::Store;
use crate::sys::lock::{FileLock, LockMode};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Name of the file in the container's folder.
const FILE_NAME: &str = "lock";

/// Waits for the lock; `None` when the container's folder is gone.
pub fn lock(store: &Store, id: &Id, cancel: &CancelToken) -> Result<Option<FileLock>> {
    let path = path(store, id);
    match FileLock::lock_path(&path, || open(&path), cancel) {
        Err(error) if error.is(crate::error::ErrorKind::NotFound) => Ok(None),
        locked => locked.map(Some),
    }
}

/// Takes the lock when nobody holds it.
pub fn try_lock(store: &Store, id: &Id) -> Result<Option<FileLock>> {
    let path = path(store, id);
    let file = match open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.doing(|| format!("cannot open `{}`", path.display()))?,
    };
    let locked = FileLock::try_lock(file, LockMode::Exclusive).doing(|| "cannot lock the container")?;
    Ok(locked.ok())
}

/// The lock of a folder that nobody knows yet.
pub fn lock_new(folder: &Path) -> Result<FileLock> {
    FileLock::lock(
        open(&folder.join(FILE_NAME)).doing(|| "cannot make a lock")?,
        LockMode::Exclusive,
        &CancelToken::new(),
    )
}

fn path(store: &Store, id: &Id) -> PathBuf {
    store.container_dir(id.as_str()).join(FILE_NAME)
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)
}
