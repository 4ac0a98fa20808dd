//! Layers by chain id: made beside, renamed in, found again.

use super::{Content, Store, layout, mounts, sweep};
use crate::context::CancelToken;
use crate::error::{Error, IoContext, Result};
use crate::model::Digest;
use crate::sys::lock::FileLock;
use rusqlite::OptionalExtension;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A layer that can be mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Its identity: what it is, on top of what.
    pub chain_id: Digest,
    /// How it lies on disk.
    pub form: LayerForm,
    /// What was found while it was unpacked.
    pub info: UnpackedInfo,
}

/// How a layer lies on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayerForm {
    /// A folder that overlayfs takes as a lower layer.
    Folder(PathBuf),
    /// Its tar with an index over it, which is mounted here: [`Store::use_layers`].
    Indexed(PathBuf),
}

/// What was found while a layer was unpacked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnpackedInfo {
    /// Digest of its uncompressed tar.
    pub diff_id: Digest,
    /// Bytes of its files.
    pub size: u64,
    /// Members of its tar.
    pub entries: u64,
}

/// What is to be done to have a layer.
pub enum LayerSlot {
    /// Nothing: it is here.
    Present(Layer),
    /// Unpack it into [`LayerDraft::folder`], or keep its tar and write an index.
    Needed(LayerDraft),
}

/// A layer being unpacked. Dropped before [`Self::commit`], it is gone.
pub struct LayerDraft {
    lock: FileLock,
    work: PathBuf,
    target: PathBuf,
    mount: PathBuf,
    trash: PathBuf,
    chain_id: Digest,
    done: bool,
}

/// The identity of a layer with this diff id on top of `parent` (OCI image config, "Layer ChainID").
pub fn chain_id(parent: Option<&Digest>, diff_id: &Digest) -> Digest {
    match parent {
        None => diff_id.clone(),
        Some(parent) => Digest::from_sha256(&Sha256::digest(format!("{parent} {diff_id}"))),
    }
}

/// Beside the files of a layer: what is known of it until it has a row.
#[derive(Serialize, Deserialize)]
struct Note {
    /// A layer that no row refers to is whole only until the next boot: nobody made sure that its
    /// files reached the disk.
    boot_id: String,
    info: UnpackedInfo,
}

pub(super) const FILES: &str = "fs";
const NOTE: &str = "layer.json";
pub(super) const TAR: &str = "layer.tar";
pub(super) const INDEX: &str = "layer.erofs";

impl Layer {
    /// The folder to give to overlayfs. That of an indexed layer has to be mounted: [`Store::use_layers`].
    pub fn folder(&self) -> &Path {
        match &self.form {
            LayerForm::Folder(folder) | LayerForm::Indexed(folder) => folder,
        }
    }

    /// What tells an index from others: the beginning of the chain id.
    pub fn uuid(chain_id: &Digest) -> [u8; 16] {
        let mut uuid = [0; 16];
        for (byte, digits) in uuid.iter_mut().zip(chain_id.hex().as_bytes().chunks(2)) {
            *byte = std::str::from_utf8(digits).ok().and_then(|text| u8::from_str_radix(text, 16).ok()).unwrap_or(0);
        }
        uuid
    }
}

impl Store {
    /// A layer that belongs to an image.
    pub fn layer(&self, chain_id: &Digest) -> Result<Option<Layer>> {
        let info = self.read(|db| {
            let row = db
                .query_row(
                    "SELECT diff_id, size, entries FROM layers WHERE chain_id = ?1",
                    [chain_id.to_string()],
                    |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)? as u64, row.get::<_, i64>(2)? as u64)),
                )
                .optional()?;
            row.map(|(diff_id, size, entries)| Ok(UnpackedInfo { diff_id: diff_id.parse()?, size, entries }))
                .transpose()
        })?;
        Ok(info.map(|info| self.layer_with(chain_id, info)))
    }

    /// The folder of a layer with this chain id, for overlayfs; that of an indexed one has to be mounted:
    /// [`Self::use_layers`].
    pub fn layer_folder(&self, chain_id: &Digest) -> PathBuf {
        match self.layer_form(chain_id) {
            LayerForm::Folder(folder) | LayerForm::Indexed(folder) => folder,
        }
    }

    /// The tar and the index of an indexed layer.
    pub fn layer_files(&self, chain_id: &Digest) -> (PathBuf, PathBuf) {
        let home = self.layer_home(chain_id);
        (home.join(TAR), home.join(INDEX))
    }

    fn layer_form(&self, chain_id: &Digest) -> LayerForm {
        let home = self.layer_home(chain_id);
        if home.join(INDEX).exists() {
            LayerForm::Indexed(self.layer_mount(chain_id.hex()))
        } else {
            LayerForm::Folder(home.join(FILES))
        }
    }

    /// Bytes that a layer with files of so many bytes takes, in the form that it is kept in.
    pub fn layer_bytes(&self, chain_id: &Digest, size: u64) -> u64 {
        let (tar, index) = self.layer_files(chain_id);
        let length = |path: PathBuf| fs::metadata(path).map(|found| found.len());
        match (length(tar), length(index)) {
            (Ok(tar), Ok(index)) => tar + index,
            _ => size,
        }
    }

    /// Takes the files of a layer away, whatever its rows say; nobody may use it.
    pub fn discard_layer(&self, chain_id: &Digest) -> Result<()> {
        self.let_go(chain_id.hex());
        self.discard(&self.layer_home(chain_id))
    }

    /// Where the files of a layer are.
    pub fn layer_home(&self, chain_id: &Digest) -> PathBuf {
        self.root.join(layout::LAYERS).join(chain_id.hex())
    }

    fn layer_with(&self, chain_id: &Digest, info: UnpackedInfo) -> Layer {
        Layer { chain_id: chain_id.clone(), form: self.layer_form(chain_id), info }
    }

    /// Whether the files of a layer are there.
    pub fn is_there(&self, layer: &Layer) -> bool {
        match &layer.form {
            LayerForm::Folder(folder) => folder.is_dir(),
            LayerForm::Indexed(_) => self.layer_files(&layer.chain_id).0.is_file(),
        }
    }

    /// A layer that was unpacked since the boot, and may have no row yet.
    fn fresh_layer(&self, chain_id: &Digest) -> Option<Layer> {
        let note = fs::read(self.layer_home(chain_id).join(NOTE)).ok()?;
        let note: Note = serde_json::from_slice(&note).ok()?;
        (note.boot_id == boot_id().ok()?).then(|| self.layer_with(chain_id, note.info))
    }
}

impl Content<'_> {
    /// Finds a layer, or starts to make it. Waits while another process or thread makes the same one.
    pub fn layer(&self, chain_id: &Digest, cancel: &CancelToken) -> Result<LayerSlot> {
        if let Some(layer) = self.existing_layer(chain_id)? {
            return Ok(LayerSlot::Present(layer));
        }
        let work = self.store.root.join(layout::PARTIAL_LAYERS).join(chain_id.hex());
        let open = || {
            match fs::DirBuilder::new().mode(0o700).create(&work) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            File::open(&work)
        };
        let mut draft = LayerDraft {
            lock: lock_folder(&work, open, cancel)?,
            target: self.store.layer_home(chain_id),
            mount: self.store.layer_mount(chain_id.hex()),
            trash: self.store.root.join(layout::TRASH),
            work,
            chain_id: chain_id.clone(),
            done: false,
        };
        if let Some(layer) = self.existing_layer(chain_id)? {
            return Ok(LayerSlot::Present(layer));
        }
        draft.start()?;
        Ok(LayerSlot::Needed(draft))
    }

    fn existing_layer(&self, chain_id: &Digest) -> Result<Option<Layer>> {
        if let Some(layer) = self.store.layer(chain_id)?.filter(|layer| self.store.is_there(layer)) {
            return Ok(Some(layer));
        }
        Ok(self.store.fresh_layer(chain_id))
    }

    /// Waits until all files written so far are on the disk: before rows that refer to layers.
    pub fn sync_layers(&self) -> Result<()> {
        let path = self.store.root.join(layout::LAYERS);
        let folder = File::open(&path).doing(|| format!("cannot open `{}`", path.display()))?;
        nix::unistd::syncfs(folder).doing(|| format!("cannot write `{}` to the disk", path.display()))
    }
}

/// Another process can rename the folder between its making and its opening.
fn lock_folder(path: &Path, open: impl Fn() -> io::Result<File>, cancel: &CancelToken) -> Result<FileLock> {
    FileLock::lock_path(
        path,
        || loop {
            match open() {
                Err(error) if error.kind() == io::ErrorKind::NotFound && path.parent().is_some_and(Path::is_dir) => {}
                other => return other,
            }
        },
        cancel,
    )
}

impl LayerDraft {
    /// The empty folder to unpack into.
    pub fn folder(&self) -> Result<PathBuf> {
        let folder = self.work.join(FILES);
        let made = fs::DirBuilder::new().mode(0o755).create(&folder);
        made.doing(|| format!("cannot make `{}`", folder.display()))?;
        Ok(folder)
    }

    /// The empty file to keep the tar in.
    pub fn tar(&self) -> Result<File> {
        create(&self.work.join(TAR))
    }

    /// The empty file for the index over the tar, and what tells it from others.
    pub fn index(&self) -> Result<(File, [u8; 16])> {
        Ok((create(&self.work.join(INDEX))?, Layer::uuid(&self.chain_id)))
    }

    /// What was kept cannot be indexed: gives the tar, which is gone when it is closed.
    pub fn give_up_index(&self) -> Result<File> {
        let path = self.work.join(TAR);
        let tar = File::open(&path).and_then(|tar| fs::remove_file(&path).map(|()| tar));
        tar.doing(|| format!("cannot read `{}`", path.display()))
    }

    /// The layer is complete: gives it its final name.
    pub fn commit(mut self, info: UnpackedInfo) -> Result<Layer> {
        let doing = || format!("cannot store layer `{}`", self.chain_id);
        // Here, where other layers are fetched meanwhile: the `syncfs` before the rows then finds little to do.
        for name in [TAR, INDEX] {
            match File::open(self.work.join(name)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                file => file.and_then(|file| file.sync_data()).doing(doing)?,
            }
        }
        let note = Note { boot_id: boot_id()?, info };
        let text = serde_json::to_vec(&note).map_err(|error| Error::invalid(error.to_string()))?;
        fs::write(self.work.join(NOTE), text).doing(doing)?;
        if self.target.exists() {
            // Left by an earlier boot, without a row, and perhaps torn; or damaged.
            mounts::unmount(&self.mount)?;
            discard(&self.target, &self.trash);
        }
        fs::rename(&self.work, &self.target).doing(doing)?;
        self.done = true;
        let form = if self.target.join(INDEX).exists() {
            LayerForm::Indexed(self.mount.clone())
        } else {
            LayerForm::Folder(self.target.join(FILES))
        };
        Ok(Layer { chain_id: self.chain_id.clone(), form, info: note.info })
    }

    /// Empties what a process that died has left.
    fn start(&mut self) -> Result<()> {
        let doing = || format!("cannot make `{}`", self.work.display());
        for entry in fs::read_dir(&self.work).doing(doing)? {
            discard(&entry.doing(doing)?.path(), &self.trash);
        }
        Ok(())
    }
}

impl Drop for LayerDraft {
    fn drop(&mut self) {
        if !self.done {
            discard(&self.work, &self.trash);
        }
        // The lock goes after the folder: the next one finds nothing half done.
        let _ = &self.lock;
    }
}

fn create(path: &Path) -> Result<File> {
    let options = File::options().write(true).create_new(true).mode(0o600).open(path);
    options.doing(|| format!("cannot make `{}`", path.display()))
}

/// Moves out of sight, then deletes. What cannot be deleted now, the sweep will.
fn discard(path: &Path, trash: &Path) {
    let moved = sweep::name_in(trash).ok().filter(|name| fs::rename(path, name).is_ok());
    if let Some(name) = moved {
        sweep::remove(&name);
    }
}

fn boot_id() -> Result<String> {
    let path = "/proc/sys/kernel/random/boot_id";
    let text = fs::read_to_string(path).doing(|| format!("cannot read `{path}`"))?;
    Ok(text.trim().to_owned())
}
