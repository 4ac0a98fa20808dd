//! The folder of a volume: made whole, and brought to its place in the transaction that writes the row.

use super::lookup::shown;
use crate::error::{Error, IoContext, Result};
use crate::store::rusqlite::Transaction;
use crate::store::{Store, draft};
use crate::sys::node::Node;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Its files, as Docker calls the folder.
pub const DATA: &str = "_data";

/// The folder that holds a volume's files, made again when a power loss has taken it.
pub fn data(store: &Store, name: &str) -> Result<PathBuf> {
    let data = store.volume_dir(name).join(DATA);
    if !data.is_dir() {
        make(&data)?;
    }
    Ok(data)
}

/// Opens that folder.
pub fn open(store: &Store, name: &str) -> Result<Node> {
    let doing = || format!("cannot open volume `{}`", shown(name));
    Node::of(File::open(data(store, name)?).doing(doing)?.into()).doing(doing)
}

/// Fails when the files that were read are the volume's no longer: it was removed or restored, and they went away meanwhile.
pub fn check_there(store: &Store, name: &str, read: &Node) -> Result<()> {
    let now = fs::metadata(store.volume_dir(name).join(DATA));
    if now.is_ok_and(|now| (now.dev(), now.ino()) == read.key()) {
        return Ok(());
    }
    Err(Error::conflict(format!("volume `{}` was removed or restored while it was read", shown(name)))
        .hint("try again"))
}

/// An empty folder of root that everybody may look into: what a volume begins with.
pub fn make(data: &Path) -> Result<()> {
    let doing = || format!("cannot make `{}`", data.display());
    DirBuilder::new().recursive(true).mode(0o700).create(data).doing(doing)?;
    // Whatever our umask is.
    fs::set_permissions(data, Permissions::from_mode(0o755)).doing(doing)
}

/// The folder of a volume that is being made. Dropped before [`Self::publish`], it is gone.
pub struct Draft<'a> {
    store: &'a Store,
    path: PathBuf,
}

impl<'a> Draft<'a> {
    /// Makes an empty one.
    pub fn make(store: &'a Store) -> Result<Self> {
        let draft = Self { store, path: store.volume_dir(&draft::name()?) };
        make(&draft.data())?;
        Ok(draft)
    }

    /// Where its files go.
    pub fn data(&self) -> PathBuf {
        self.path.join(DATA)
    }

    /// Brings it to its place. The transaction is the one that writes the row: nobody else brings or takes a folder
    /// meanwhile, so one that is there has no row.
    pub fn publish(&self, _tx: &Transaction<'_>, name: &str) -> Result<()> {
        let target = self.store.volume_dir(name);
        self.store.discard(&target)?;
        fs::rename(&self.path, &target).doing(|| format!("cannot make `{}`", target.display()))
    }

    /// Waits until its files are on the disk.
    pub fn sync_data(&self) -> Result<()> {
        let doing = || format!("cannot write `{}` to the disk", self.path.display());
        nix::unistd::syncfs(File::open(self.data()).doing(doing)?).doing(doing)
    }

    /// Waits until its name is on the disk: a row that lasts must not be there alone.
    pub fn sync(&self) -> Result<()> {
        let folder = self.store.volume_dir("");
        File::open(&folder)
            .and_then(|folder| folder.sync_all())
            .doing(|| format!("cannot write `{}` to the disk", folder.display()))
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        // Not there after it was published. What cannot be moved is swept by the next command.
        let _ = self.store.discard(&self.path);
    }
}

/// Whether a folder has nothing in it.
pub fn is_empty(folder: &Path) -> Result<bool> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        entries => Ok(entries.doing(|| format!("cannot list `{}`", folder.display()))?.next().is_none()),
    }
}
