//! Where things are under a root, and how they come to be there.

use super::database::Database;
use crate::context::CancelToken;
use crate::error::{IoContext, Result};
use crate::sys::inode_flags;
use crate::sys::lock::{FileLock, LockMode};
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
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
const RUN_DIR: &str = "/run/shanty";

/// Folders of a root. Processes of a container with another user id must be able to pass through
/// the root to their own files; what is shared between containers is for us alone.
const FOLDERS: [(&str, u32); 9] = [
    ("", 0o711),
    ("containers", 0o711),
    ("volumes", 0o711),
    ("blobs", 0o700),
    (BLOBS, 0o700),
    (PARTIAL_BLOBS, 0o700),
    (LAYERS, 0o700),
    (PARTIAL_LAYERS, 0o700),
    (TRASH, 0o700),
];

/// The database of a root. It is made last, so where it is, everything else is too.
pub fn database(root: &Path) -> PathBuf {
    root.join("shanty.db")
}

/// Makes a root; several processes may do so at once.
pub fn create(root: &Path) -> Result<Database> {
    for (folder, mode) in FOLDERS {
        create_folder(&root.join(folder), mode)?;
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
        .open(path)
        .doing(|| format!("cannot open `{}`", path.display()))
}

/// Makes the run-time folder of a root and gives its path.
pub fn create_run_dir(id8: &str) -> Result<PathBuf> {
    let path = Path::new(RUN_DIR).join(id8);
    if !path.is_dir() {
        create_folder(Path::new(RUN_DIR), 0o711)?;
        create_folder(&path, 0o711)?;
    }
    Ok(path)
}

fn create_folder(path: &Path, mode: u32) -> Result<()> {
    let made = DirBuilder::new().mode(mode).create(path);
    let made = match made {
        Err(error) if error.kind() == io::ErrorKind::NotFound => DirBuilder::new()
            .mode(0o755)
            .recursive(true)
            .create(path)
            .and_then(|()| fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode))),
        other => other,
    };
    match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        other => other.doing(|| format!("cannot make `{}`", path.display())),
    }
}
