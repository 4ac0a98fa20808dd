//! Indexed layers are mounted while containers use them: once for all of them, so that they share their page cache.
//!
//! The kernel is asked, not remembered, what is mounted. Mount points are in the run-time folder of the root, named as
//! the layers are. Whoever is about to lay them over each other holds [`LayersInUse`]; an overlay that is made holds
//! its layers itself.

use super::{Store, layers, layout};
use crate::context::{CancelToken, Context};
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::sys::lock::{FileLock, LockMode};
use crate::sys::{erofs, mount};
use nix::errno::Errno;
use nix::mount::{MntFlags, umount2};
use std::collections::HashSet;
use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// In the run-time folder: mount points, and beside them the locks.
const MOUNTS: &str = "layers";
/// Held shared by who uses mounted layers, exclusively by who unmounts them.
const USE_LOCK: &str = "layers.lock";
/// Held while a layer is being mounted: two mounts of one would not share anything.
const MOUNT_LOCK: &str = "layers.mount.lock";

/// Who uses layers longer than this unmounts them when it has finished.
const PATIENCE: Duration = Duration::from_secs(1);

/// Layers that stay mounted while this is held.
pub struct LayersInUse<'a> {
    store: &'a Store,
    /// Taken when the first indexed layer is asked for.
    lock: Option<FileLock>,
}

impl Store {
    /// Makes sure that layers can be laid over each other, and keeps it so. `folders`: as
    /// [`super::Layer::folder`] and [`Self::layer_folder`] give them.
    ///
    /// # Errors
    /// `corrupt` when the files of a layer are not there.
    pub fn use_layers<'a>(&self, folders: impl IntoIterator<Item = &'a PathBuf>) -> Result<LayersInUse<'_>> {
        let mut layers = LayersInUse { store: self, lock: None };
        layers.add(folders)?;
        Ok(layers)
    }

    /// Where an indexed layer with these digits is mounted, or would be.
    pub(super) fn layer_mount(&self, digits: &str) -> PathBuf {
        self.run_dir.join(MOUNTS).join(digits)
    }

    /// Unmounts the layers that nobody uses: `used` gives the folders of those that containers have. Does nothing when
    /// somebody goes on using some.
    pub fn unmount_unused_layers(&self, used: impl FnOnce() -> Result<HashSet<PathBuf>>) -> Result<()> {
        let folder = self.run_dir.join(MOUNTS);
        if !folder.exists() {
            return Ok(());
        }
        let patience = Context::background().with_timeout(Some(PATIENCE));
        let _lock = match FileLock::lock(self.mount_lock(USE_LOCK)?, LockMode::Exclusive, &patience.cancel) {
            Err(error) if error.is(ErrorKind::Timeout) => return Ok(()),
            lock => lock?,
        };
        let used = used()?;
        for entry in fs::read_dir(&folder).doing(|| format!("cannot list `{}`", folder.display()))?.flatten() {
            if !used.contains(&entry.path()) {
                unmount(&entry.path())?;
            }
        }
        // Those that are still used keep it.
        let _ = fs::remove_dir(&folder);
        Ok(())
    }

    /// Whether layers are mounted.
    pub fn has_mounted_layers(&self) -> bool {
        self.run_dir.join(MOUNTS).exists()
    }

    fn mount_lock(&self, name: &str) -> Result<File> {
        layout::open_lock(&self.run_dir.join(name))
    }

    fn mount_layer(&self, point: &Path) -> Result<()> {
        let _lock = FileLock::lock(self.mount_lock(MOUNT_LOCK)?, LockMode::Exclusive, &CancelToken::new())?;
        let doing = || format!("cannot make `{}`", point.display());
        DirBuilder::new().recursive(true).mode(0o700).create(point).doing(doing)?;
        if is_mounted(point) {
            return Ok(());
        }
        let digits = point.file_name().unwrap_or_default();
        let home = self.root.join(layout::LAYERS).join(digits);
        let (index, tar) = (home.join(layers::INDEX), home.join(layers::TAR));
        for file in [&index, &tar] {
            if !file.exists() {
                return Err(Error::corrupt(format!("the layer file `{}` is not there", file.display()))
                    .hint("find out what is wrong, and mend it: `shanty check-store`"));
            }
        }
        let place = File::open(point).doing(doing)?;
        let tree = erofs::mount(&index, &tar).map_err(|(errno, message)| refused(errno, &message, &home))?;
        mount::attach(tree, place).doing(|| format!("cannot mount the layer `{}`", home.display()))
    }
}

impl LayersInUse<'_> {
    /// Takes more layers in.
    pub fn add<'a>(&mut self, folders: impl IntoIterator<Item = &'a PathBuf>) -> Result<()> {
        let mounts = self.store.run_dir.join(MOUNTS);
        for point in folders.into_iter().filter(|folder| folder.parent() == Some(&mounts)) {
            if self.lock.is_none() {
                let file = self.store.mount_lock(USE_LOCK)?;
                self.lock = Some(FileLock::lock(file, LockMode::Shared, &CancelToken::new())?);
            }
            if !is_mounted(point) {
                self.store.mount_layer(point)?;
            }
        }
        Ok(())
    }
}

/// A mount is on another file system than the folder that it is in.
fn is_mounted(point: &Path) -> bool {
    let device = |path: &Path| fs::metadata(path).map(|metadata| metadata.dev()).ok();
    match (device(point), point.parent().and_then(device)) {
        (Some(point), Some(parent)) => point != parent,
        _ => false,
    }
}

/// Takes a mount point away, with what is on it.
pub(super) fn unmount(point: &Path) -> Result<()> {
    let doing = || format!("cannot unmount `{}`", point.display());
    loop {
        match umount2(point, MntFlags::MNT_DETACH) {
            // Twice, where somebody else has mounted something over it.
            Ok(()) => {}
            Err(Errno::EINVAL | Errno::ENOENT) => break,
            Err(errno) => return Err(errno).doing(doing),
        }
    }
    match fs::remove_dir(point) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).doing(doing),
        _ => Ok(()),
    }
}

fn refused(errno: Errno, message: &str, home: &Path) -> Error {
    let detail = if message.is_empty() { String::new() } else { format!(" ({message})") };
    let text = format!("cannot mount the layer `{}`: {}{detail}", home.display(), errno.desc());
    match errno {
        Errno::ENODEV | Errno::ENOTBLK | Errno::ENOSYS | Errno::EPERM => Error::unsupported(text).hint(
            "this store has layers that need Linux 6.12 and its EROFS: start that kernel, or remove the images and \
             pull them with `SHANTY_LAYERS=folder`",
        ),
        _ => Error::new(ErrorKind::Io, text),
    }
}
