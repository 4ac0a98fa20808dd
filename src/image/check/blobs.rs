//! Blobs that are missing, or are not what their digest says.

use super::Check;
use crate::context::ProgressItem;
use crate::error::{Error, IoContext, Result};
use crate::model::{Damage, Digest};
use crate::store::is_used_blob;
use sha2::{Digest as _, Sha256};
use std::io::{ErrorKind, Read};

enum State {
    Whole,
    Missing,
    Damaged(Digest),
}

impl Check<'_> {
    pub(super) fn blobs(&mut self) -> Result<()> {
        let all = "SELECT id FROM images UNION SELECT manifest FROM images UNION SELECT blob FROM image_layers
                   UNION SELECT blob FROM build_cache WHERE blob IS NOT NULL";
        let blobs = self.strings(all)?;
        let total = blobs.iter().filter_map(|blob| self.store.blob_size(&blob.parse().ok()?).ok()).sum();
        let progress = self.cx.progress.start("reading blobs", Some(total));
        for text in blobs {
            let digest: Digest = text.parse()?;
            let (kind, detail) = match self.read_blob(&digest, &*progress)? {
                State::Whole => continue,
                State::Missing => (Damage::BlobMissing, "it is not here".to_owned()),
                State::Damaged(found) => (Damage::BlobDamaged, format!("its content has the digest `{found}`")),
            };
            // Its image may have been removed since the list was made.
            if !self.store.read(|db| is_used_blob(db, &text))? {
                continue;
            }
            let images = self.images_with(&text)?;
            if images.is_empty() {
                self.found(kind, &digest, detail, "forget the step of a build that has it", |check| {
                    let sql = "DELETE FROM build_cache WHERE blob = ?1";
                    check.store.write_durable(|tx| Ok(tx.execute(sql, [&text]).map(drop)?))?;
                    check.store.discard(&check.store.blob_path(&digest))
                })?;
                continue;
            }
            let names: Vec<_> = images.iter().map(|image| format!("`{}`", image.short())).collect();
            let detail = format!("{detail}; image {} has it", names.join(", "));
            self.found(kind, &digest, detail, "fetch it again", |check| check.fetch_again(&digest, &images))?;
        }
        self.result.images = self.strings("SELECT id FROM images")?.len();
        Ok(())
    }

    fn read_blob(&mut self, digest: &Digest, progress: &dyn ProgressItem) -> Result<State> {
        let doing = || format!("cannot read blob `{digest}`");
        let mut file = match std::fs::File::open(self.store.blob_path(digest)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(State::Missing),
            opened => opened.doing(doing)?,
        };
        let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1 << 18]);
        loop {
            self.cx.check()?;
            let count = file.read(&mut buffer).doing(doing)?;
            if count == 0 {
                break;
            }
            hasher.update(&buffer[..count]);
            self.result.bytes += count as u64;
            progress.advance(count as u64);
        }
        self.result.blobs += 1;
        let found = Digest::from_sha256(&hasher.finalize());
        Ok(if found == *digest { State::Whole } else { State::Damaged(found) })
    }

    fn images_with(&self, blob: &str) -> Result<Vec<Digest>> {
        let sql = "SELECT id FROM images WHERE id = ?1 OR manifest = ?1
                   UNION SELECT image FROM image_layers WHERE blob = ?1";
        let ids = self.store.read(|db| {
            let mut statement = db.prepare_cached(sql)?;
            Ok(statement.query_map([blob], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?)
        })?;
        ids.iter().map(|id| id.parse()).collect()
    }

    fn fetch_again(&self, digest: &Digest, images: &[Digest]) -> Result<()> {
        let path = self.store.blob_path(digest);
        // Else the pull would take it for whole. Without a new one the damaged one comes back: most of it may be right.
        let content = self.store.content(&self.cx.cancel)?;
        let _aside = content.put_aside(digest)?;
        let mut last = Error::not_found("no registry is known to have it");
        for image in images {
            match self.pull_again(image) {
                Ok(()) if path.exists() => return Ok(()),
                Ok(()) => {}
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}
