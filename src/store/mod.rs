//! Everything that lasts: blobs by digest, layers by chain id, metadata in SQLite.
//!
//! Images and layers are files first: a blob or layer that is there is whole, because it is written
//! under another name, verified and renamed. The database says which of them belong to something. What
//! belongs to nothing is garbage, taken away by [`Store::sweep`]; adding content takes a
//! [`Content`] guard, which keeps the sweep out until the rows are written.

mod aside;
mod blobs;
mod content;
mod database;
pub mod draft;
mod folder_size;
mod garbage;
mod layers;
mod layout;
mod made_with;
mod mapped_layers;
mod mounts;
mod orphans;
mod parked;
mod reserve;
pub mod scopes;
mod space;
mod sweep;

pub use aside::Aside;
pub use blobs::{BlobDownload, BlobWriter, NewBlob};
pub use content::{Claim, Content};
pub use folder_size::folder_size;
pub use garbage::{Released, is_used_blob, release, release_image};
pub use layers::{Layer, LayerDraft, LayerForm, LayerSlot, UnpackedInfo, chain_id};
pub use mapped_layers::MappedLayer;
pub use mounts::LayersInUse;
pub use orphans::Orphan;
pub use parked::ParkedBlob;
pub use rusqlite;
pub use sweep::Swept;

use crate::error::{ErrorKind, IoContext, Result};
use crate::model::Digest;
use crate::sys::process;
use database::Database;
use rusqlite::{Connection, Transaction};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// A root on disk. Cheap to open; shared by all threads.
pub struct Store {
    root: PathBuf,
    root_id: String,
    run_dir: PathBuf,
    database: Database,
}

impl Store {
    /// Opens the root, and makes it when it is not there.
    ///
    /// # Errors
    /// `unsupported` when a newer Shanty has written it, `corrupt` when its database is damaged.
    pub fn open(root: &Path) -> Result<Self> {
        let root = std::path::absolute(root).doing(|| format!("cannot find `{}`", root.display()))?;
        let found = Database::open(&layout::database(&root)).and_then(|found| match found {
            Some(database) => Ok(database),
            None => layout::create(&root),
        });
        let database = found.map_err(|error| {
            if error.is(ErrorKind::Denied) {
                let error = error.context(format!("cannot use the root `{}`", root.display()));
                error.hint("it is somebody else's: choose a folder of your own with `--root DIR`, or leave it out")
            } else {
                error
            }
        })?;
        made_with::check(&database, &root)?;
        let root_id = database.root_id()?;
        let run_dir = layout::create_run_dir(&root_id[..8])?;
        Ok(Self { root, root_id, run_dir, database })
    }

    /// The root folder, absolute.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether the machine was started anew since [`Self::note_boot`].
    pub fn is_new_boot(&self) -> Result<bool> {
        Ok(self.database.boot_id()?.as_deref() != Some(process::boot_id()?))
    }

    /// What should run since the last boot has been started.
    pub fn note_boot(&self) -> Result<()> {
        self.database.set_boot_id(process::boot_id()?)
    }

    /// The random id of this root: 64 hexadecimal digits.
    pub fn root_id(&self) -> &str {
        &self.root_id
    }

    /// Its first eight digits, which names on the host carry.
    pub fn root_id8(&self) -> &str {
        &self.root_id[..8]
    }

    /// Where sockets and other things live that must not survive a reboot: `/run/shanty/<id8>`.
    pub fn run_dir(&self) -> &Path {
        &self.run_dir
    }

    /// The folder of a container: bundle, upper and work directories, log, state. May not exist.
    pub fn container_dir(&self, id: &str) -> PathBuf {
        self.root.join("containers").join(id)
    }

    /// The folder of a volume. May not exist.
    pub fn volume_dir(&self, name: &str) -> PathBuf {
        self.root.join("volumes").join(name)
    }

    /// Reads rows. What is read is one state of the database when `read` uses one statement, or
    /// opens a transaction. Calls must not be nested.
    pub fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.database.read(read)
    }

    /// Changes rows in one `BEGIN IMMEDIATE` transaction; an error of `write` takes all of it back.
    /// The change is seen by every process at once, and may be lost with the power. It never waits
    /// for the disk. Calls must not be nested.
    ///
    /// # Errors
    /// `busy` when another process has held the database for ten seconds.
    pub fn write<T>(&self, write: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        self.database.write(write)
    }

    /// The same as [`Self::write`], and on the disk when it returns: for what makes an image or a
    /// volume last.
    pub fn write_durable<T>(&self, write: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        self.database.write_durable(write)
    }

    /// Moves what was written lately from the log of the database to its file, once the log has
    /// grown. Waits for the disk: never call it while somebody waits for a container to start.
    pub fn checkpoint_if_large(&self) -> Result<()> {
        self.database.checkpoint_if_large()
    }

    /// Whether [`Self::checkpoint_if_large`] has something to do.
    pub fn log_is_large(&self) -> bool {
        self.database.log_is_large()
    }

    /// Whether a whole blob with this digest is here.
    pub fn has_blob(&self, digest: &Digest) -> bool {
        self.blob_path(digest).exists()
    }

    /// Opens a blob for reading.
    pub fn open_blob(&self, digest: &Digest) -> Result<File> {
        File::open(self.blob_path(digest)).doing(|| format!("cannot open blob `{digest}`"))
    }

    /// Where a blob is, or would be.
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.root.join(layout::BLOBS).join(digest.hex())
    }

    /// Size of a blob in bytes.
    pub fn blob_size(&self, digest: &Digest) -> Result<u64> {
        let metadata = fs::metadata(self.blob_path(digest)).doing(|| format!("cannot look at blob `{digest}`"))?;
        Ok(metadata.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opening_a_root_twice_gives_the_same_id_and_other_roots_another() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = Store::open(one.path()).unwrap();
        let again = Store::open(one.path()).unwrap();
        let other = Store::open(two.path()).unwrap();
        assert_eq!(first.root_id(), again.root_id());
        assert_ne!(first.root_id(), other.root_id());
        assert!(first.run_dir().ends_with(first.root_id8()));
        for store in [&first, &other] {
            fs::remove_dir_all(store.run_dir()).unwrap();
        }
    }

    #[test]
    fn a_store_can_be_shared_by_threads() {
        fn check<T: Send + Sync>() {}
        check::<Store>();
    }
}
