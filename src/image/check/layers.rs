//! Layers that are missing, or whose files are not those of their blobs.

use super::Check;
use crate::archive::compare;
use crate::context::ProgressItem;
use crate::error::{Error, ErrorKind, Result};
use crate::image::config::read_config;
use crate::image::layer::place_layer;
use crate::image::remove::users;
use crate::model::{Damage, Digest};
use crate::store::rusqlite::params;
use crate::store::{Layer, LayerForm, UnpackedInfo, chain_id};
use crate::sys::erofs;
use nix::errno::Errno;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// A layer as an image has it.
struct Wanted {
    below: Option<Digest>,
    diff_id: Digest,
    blob: Digest,
}

/// A blob that tells how far it was read.
struct Counted<'a> {
    file: File,
    progress: &'a dyn ProgressItem,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.progress.advance(count as u64);
        Ok(count)
    }
}

impl Check<'_> {
    pub(super) fn layers(&mut self) -> Result<()> {
        let mut wanted = BTreeMap::new();
        for id in self.strings("SELECT id FROM images")? {
            let id: Digest = id.parse()?;
            match self.wanted(&id) {
                Ok(Some(layers)) => wanted.extend(layers),
                Ok(None) => {
                    let detail = "its layers are not those of its config";
                    self.found(Damage::ImageRows, &id, detail, "pull it again", |check| check.pull_again(&id))?;
                    if let Ok(Some(layers)) = self.wanted(&id) {
                        wanted.extend(layers);
                    }
                }
                // Told as a blob, or removed meanwhile.
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Corrupt | ErrorKind::Io) => {}
                Err(error) => return Err(error),
            }
        }
        let total = wanted.values().filter_map(|layer| self.store.blob_size(&layer.blob).ok()).sum();
        let progress = self.cx.progress.start("comparing layers", Some(total));
        for (chain, layer) in wanted {
            self.cx.check()?;
            self.layer(&chain, &layer, &*progress)?;
        }
        Ok(())
    }

    /// Its layers by chain id; `None` when rows and config say different things.
    fn wanted(&self, id: &Digest) -> Result<Option<Vec<(Digest, Wanted)>>> {
        let config = read_config(self.store, id)?;
        let rows = self.store.read(|db| {
            let sql = "SELECT chain_id, blob FROM image_layers WHERE image = ?1 ORDER BY position";
            let mut statement = db.prepare_cached(sql)?;
            let rows = statement.query_map([id.to_string()], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let rows = rows.collect::<Result<Vec<(String, String)>, _>>()?;
            // Asked last: its rows go together.
            if !db.prepare_cached("SELECT 1 FROM images WHERE id = ?1")?.exists([id.to_string()])? {
                return Err(Error::not_found("the image was removed since its config was read"));
            }
            Ok(rows)
        })?;
        let diff_ids = config.rootfs().diff_ids();
        let mut below: Option<Digest> = None;
        let mut layers = Vec::new();
        for (diff_id, (chain, blob)) in diff_ids.iter().zip(&rows) {
            let diff_id: Digest = diff_id.parse()?;
            let expected = chain_id(below.as_ref(), &diff_id);
            if expected.to_string() != *chain {
                return Ok(None);
            }
            layers.push((expected.clone(), Wanted { below: below.take(), diff_id, blob: blob.parse()? }));
            below = Some(expected);
        }
        Ok((rows.len() == diff_ids.len()).then_some(layers))
    }

    fn layer(&mut self, chain: &Digest, wanted: &Wanted, progress: &dyn ProgressItem) -> Result<()> {
        let Some(layer) = self.store.layer(chain)? else {
            let detail = "an image has it, but it has no row";
            return self.tell(Damage::StaleRow, chain, detail.to_owned(), wanted, "unpack it again");
        };
        let before = self.inode(chain);
        if before.is_none() || !self.store.is_there(&layer) {
            let detail = "its files are not here".to_owned();
            return self.tell(Damage::LayerMissing, chain, detail, wanted, "unpack it again");
        }
        // A mount of its own: that of containers would show what they have read before.
        let mounted = match self.mount(&layer) {
            Err(error) if error.is(ErrorKind::Unsupported) || self.inode(chain) != before => return Err(error),
            Err(error) => return self.tell(Damage::LayerDamaged, chain, error.to_string(), wanted, "unpack it again"),
            Ok(mounted) => mounted,
        };
        let folder = match &mounted {
            Some(tree) => PathBuf::from(format!("/proc/self/fd/{}", tree.as_raw_fd())),
            None => layer.folder().to_owned(),
        };
        // One that is missing or damaged has been told.
        let Ok(blob) = self.store.open_blob(&wanted.blob) else { return Ok(()) };
        let compared = match compare(Counted { file: blob, progress }, &folder, self.cx) {
            Ok(compared) => compared,
            Err(_) if self.inode(chain) != before => return Ok(()),
            Err(error) if error.is(ErrorKind::Corrupt) => return Ok(()),
            Err(error) => return Err(error),
        };
        self.result.layers += 1;
        // Removed, or made anew, while it was read.
        if self.inode(chain) != before {
            return Ok(());
        }
        drop(mounted);
        if !compared.differences.is_empty() {
            let detail = compared.differences.join("; ");
            return self.tell(Damage::LayerDamaged, chain, detail, wanted, "unpack it again");
        }
        let found = UnpackedInfo {
            diff_id: compared.archive.diff_id,
            size: compared.archive.size,
            entries: compared.archive.entries,
        };
        if found != layer.info && found.diff_id == wanted.diff_id {
            let detail = format!("its row says {} bytes in {} files", layer.info.size, layer.info.entries);
            return self
                .found(Damage::LayerRow, chain, detail, "correct the row", |check| check.write_row(chain, &found));
        }
        Ok(())
    }

    /// The tree of an indexed layer, mounted nowhere.
    fn mount(&self, layer: &Layer) -> Result<Option<OwnedFd>> {
        if matches!(layer.form, LayerForm::Folder(_)) {
            return Ok(None);
        }
        let (tar, index) = self.store.layer_files(&layer.chain_id);
        erofs::mount(&index, &tar).map(Some).map_err(|(errno, message)| {
            let text = format!("it cannot be mounted: {} {message}", errno.desc());
            match errno {
                Errno::ENODEV | Errno::ENOTBLK | Errno::ENOSYS | Errno::EPERM => Error::unsupported(text),
                _ => Error::corrupt(text),
            }
        })
    }

    fn tell(&mut self, kind: Damage, chain: &Digest, detail: String, wanted: &Wanted, repair: &str) -> Result<()> {
        let sql = "SELECT 1 FROM image_layers WHERE chain_id = ?1";
        if !self.store.read(|db| Ok(db.prepare_cached(sql)?.exists([chain.to_string()])?))? {
            return Ok(());
        }
        self.found(kind, chain, detail, repair, |check| check.unpack_again(chain, wanted))
    }

    fn unpack_again(&self, chain: &Digest, wanted: &Wanted) -> Result<()> {
        self.refuse_used(chain)?;
        // Nothing comes out of a damaged blob: what is left of the layer stays.
        let blob = wanted.blob.to_string();
        if self.result.findings.iter().any(|finding| finding.what == blob && !finding.repaired) {
            return Err(Error::corrupt("its blob is not whole"));
        }
        let content = self.store.content(&self.cx.cancel)?;
        self.store.discard_layer(chain)?;
        let layer = place_layer(&content, wanted.below.as_ref(), &wanted.diff_id, &wanted.blob, self.cx)?;
        content.sync_layers()?;
        self.write_row(chain, &layer.info)
    }

    /// Files that a container has mounted must not be exchanged.
    fn refuse_used(&self, chain: &Digest) -> Result<()> {
        let sql = "SELECT DISTINCT image FROM image_layers WHERE chain_id = ?1";
        let images = self.store.read(|db| {
            let mut statement = db.prepare_cached(sql)?;
            Ok(statement
                .query_map([chain.to_string()], |row| row.get::<_, String>(0))?
                .collect::<Result<Vec<_>, _>>()?)
        })?;
        for image in images {
            let image: Digest = image.parse()?;
            if let Some(user) = self.store.read(|db| users(db, &image))?.into_iter().find(|user| user.alive) {
                return Err(Error::conflict(format!("container `{}` runs from it: stop that first", user.name)));
            }
        }
        Ok(())
    }

    fn write_row(&self, chain: &Digest, info: &UnpackedInfo) -> Result<()> {
        let sql = "INSERT INTO layers (chain_id, diff_id, size, entries) VALUES (?1, ?2, ?3, ?4)
                   ON CONFLICT (chain_id) DO UPDATE SET diff_id = ?2, size = ?3, entries = ?4";
        let (size, entries) = (info.size as i64, info.entries as i64);
        self.store.write_durable(|tx| {
            Ok(tx.execute(sql, params![chain.to_string(), info.diff_id.to_string(), size, entries]).map(drop)?)
        })
    }

    /// Which folder its files are in: another one when it was made again.
    fn inode(&self, chain: &Digest) -> Option<u64> {
        std::fs::metadata(self.store.layer_home(chain)).ok().map(|found| found.ino())
    }
}
