//! Where things are under a root, and how they come to be there.

use super::database::Database;
use crate::context::CancelToken;
use crate::error::{IoContext, Result};
use crate::privilege;
use crate::sys::inode_flags;
use crate::sys::lock::{FileLock, LockMode};
use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Whole blobs, named by the digits of their digest: an OCI image layout's folder.
pub const BLOBS: &str = "blobs/sha256";
/// Blobs that are being written or were left half done, to be resumed.
pub const PARTIAL_BLOBS: &str = "blobs/tmp";
/// Layers, named by the digits of their chain id.
pub const LAYERS: &str = "layers";
/// Layers that are being unpacked.
pub const PARTIAL_LAYERS: &str = "layers/tmp";
/// What is going to be deleted: out of sight first, because deleting takes time.
pub const TRASH: &str = "trash";
/// Held shared by whoever adds content, exclusively by the sweep.
pub const CONTENT_LOCK: &str = "content.lock";

/// Held while a root is being made.
const ROOT_LOCK: &str = "root.lock";

/// Folders of a root, for nobody else to enter: a setuid program that a container makes would be a way to root for
/// every user of the machine who reaches it (CVE-2021-41091). Containers need no way through them: overlayfs looks
/// with the eyes of who mounted it.
const FOLDERS: [&str; 9] = ["", "containers", "volumes", "blobs", BLOBS, PARTIAL_BLOBS, LAYERS, PARTIAL_LAYERS, TRASH];

/// The database of a root. It is made last, so where it is, everything else is too.
pub fn database(root: &Path) -> PathBuf {
    root.join("shanty.db")
}

/// Makes a root; several processes may do so at once.
pub fn create(root: &Path) -> Result<Database> {
    for folder in FOLDERS {
        create_folder(&root.join(folder))?;
    }
    for folder in [LAYERS, PARTIAL_LAYERS] {
        // Sets of unrelated trees: ext4 then spreads them over its block groups, instead of crawling
        // through a group where a removed layer left nothing but free inodes. Other file systems
        // have no such flag.
        let _ = inode_flags::set_top_directory(&root.join(folder));
    }
    let lock_path = root.join(ROOT_LOCK);
    let file = open_lock(&lock_path)?;
    let _lock = FileLock::lock(file, LockMode::Exclusive, &CancelToken::new())?;
    Database::create(&database(root))
}

/// Opens a lock file, made when it is not there.
pub fn open_lock(path: &Path) -> Result<File> {
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .doing(|| format!("cannot open `{}`", path.display()))
}

/// Makes the run-time folder of a root and gives its path.
pub fn create_run_dir(id8: &str) -> Result<PathBuf> {
    let base = privilege::run_base()?;
    let path = base.join(id8);
    if !path.is_dir() {
        create_folder(&base)?;
        create_folder(&path)?;
    }
    Ok(path)
}

fn create_folder(path: &Path) -> Result<()> {
    let doing = || format!("cannot make `{}`", path.display());
    let made = DirBuilder::new().mode(0o700).create(path);
    match made {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            DirBuilder::new().mode(0o755).recursive(true).create(path).doing(doing)?;
            fs::set_permissions(path, Permissions::from_mode(0o700)).doing(doing)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        other => other.doing(doing),
    }
}
