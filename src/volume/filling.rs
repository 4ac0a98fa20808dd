//! Filling an empty volume from an image: once, by one at a time, wholly or not at all.

use super::{folder, users};
use crate::context::{CancelToken, Context};
use crate::error::{IoContext, Result};
use crate::store::Store;
use crate::sys::lock::{FileLock, LockMode};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Held by who fills it.
const LOCK: &str = "lock";
/// There while it is being filled: what a killed process has left half done is told by it.
const MARK: &str = "filling";

/// The right to fill a volume. Dropped before [`Self::done`], what was copied goes with the next command.
pub struct Filling {
    _lock: FileLock,
    mark: PathBuf,
    data: PathBuf,
}

impl Filling {
    /// Waits for others who fill it; `None` when it has something in it.
    pub fn begin(store: &Store, cx: &Context, name: &str) -> Result<Option<Self>> {
        let data = folder::data(store, name)?;
        let mark = store.volume_dir(name).join(MARK);
        // In this order: whoever fills it makes the mark before, and takes it away after.
        if !folder::is_empty(&data)? && !mark.exists() {
            return Ok(None);
        }
        let lock = FileLock::lock(open(&store.volume_dir(name))?, LockMode::Exclusive, &cx.cancel)?;
        clear(store, name, &mark)?;
        if !folder::is_empty(&data)? {
            return Ok(None);
        }
        File::create(&mark).doing(|| format!("cannot make `{}`", mark.display()))?;
        Ok(Some(Self { _lock: lock, mark, data }))
    }

    /// The folder to fill.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// It is filled: that is on the disk before the mark goes.
    pub fn done(self) -> Result<()> {
        let doing = || format!("cannot write `{}` to the disk", self.data.display());
        let folder = File::open(&self.data).doing(doing)?;
        nix::unistd::syncfs(folder).doing(doing)?;
        fs::remove_file(&self.mark).doing(doing)
    }
}

/// Takes away what a process that was killed has copied.
pub fn sweep(store: &Store, name: &str) -> Result<()> {
    let mark = store.volume_dir(name).join(MARK);
    if !mark.exists() {
        return Ok(());
    }
    match FileLock::try_lock(open(&store.volume_dir(name))?, LockMode::Exclusive).doing(|| "cannot lock a volume")? {
        Ok(_lock) => clear(store, name, &mark),
        // It is being filled.
        Err(_) => Ok(()),
    }
}

/// Empties a volume that was left half filled. The caller holds the lock.
fn clear(store: &Store, name: &str, mark: &Path) -> Result<()> {
    if !mark.exists() {
        return Ok(());
    }
    // Containers that have it may have written into it: theirs must not be lost.
    if store.read(|db| users::of(db, name))?.is_empty() {
        let data = store.volume_dir(name).join(folder::DATA);
        store.discard(&data)?;
        folder::make(&data)?;
    }
    match fs::remove_file(mark) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.doing(|| format!("cannot remove `{}`", mark.display())),
    }
}

/// Waits until nobody fills the volume, and keeps others from it.
pub fn lock(store: &Store, name: &str, cancel: &CancelToken) -> Result<FileLock> {
    FileLock::lock(open(&store.volume_dir(name))?, LockMode::Exclusive, cancel)
}

fn open(folder: &Path) -> Result<File> {
    let path = folder.join(LOCK);
    let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(&path);
    file.doing(|| format!("cannot open `{}`", path.display()))
}
