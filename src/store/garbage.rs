//! What one image alone had goes with it: found by the image, so that the size of the store does not matter.
//!
//! Rows go first and durably, and say which files are garbage now; the files follow when nobody adds content. A crash in
//! between leaves rows of `garbage` for the next command.

use super::{Store, Swept, layout};
use crate::error::{IoContext, Result};
use crate::model::Digest;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use std::collections::BTreeSet;
use std::fs;
use std::io;

/// What rows let go of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Released {
    /// Layers, by chain id, the topmost first, and the bytes of their files.
    pub layers: Vec<(Digest, u64)>,
    /// Blobs.
    pub blobs: Vec<Digest>,
}

impl Released {
    /// Takes in what more was let go of.
    pub fn extend(&mut self, more: Self) {
        self.layers.extend(more.layers);
        self.blobs.extend(more.blobs);
    }
}

/// Deletes the rows of an image, with its names, and those of the layers that nothing else has. `hold`: containers made
/// from it stay, and keep its layers.
pub fn release_image(tx: &Transaction<'_>, id: &str, hold: bool) -> Result<Released> {
    let manifest: Option<String> =
        tx.prepare_cached("SELECT manifest FROM images WHERE id = ?1")?.query_row([id], |row| row.get(0)).optional()?;
    let Some(manifest) = manifest else { return Ok(Released::default()) };
    let (mut chains, mut blobs) = (Vec::new(), BTreeSet::from([id.to_owned(), manifest]));
    let mut statement =
        tx.prepare_cached("SELECT chain_id, blob FROM image_layers WHERE image = ?1 ORDER BY position DESC")?;
    let mut rows = statement.query([id])?;
    while let Some(row) = rows.next()? {
        chains.push(row.get::<_, String>(0)?);
        blobs.insert(row.get(1)?);
    }
    if hold {
        let sql = "INSERT OR IGNORE INTO held_layers SELECT image, chain_id FROM image_layers WHERE image = ?1";
        tx.prepare_cached(sql)?.execute([id])?;
    }
    tx.prepare_cached("DELETE FROM images WHERE id = ?1")?.execute([id])?;
    release(tx, &chains, blobs)
}

/// Deletes the rows of layers that nothing has any more, and notes them and blobs without a row as garbage.
pub fn release(tx: &Transaction<'_>, chains: &[String], blobs: BTreeSet<String>) -> Result<Released> {
    let mut released = Released::default();
    for chain in chains {
        let Some(size) = unused_layer(tx, chain)? else { continue };
        tx.prepare_cached("DELETE FROM layers WHERE chain_id = ?1")?.execute([chain])?;
        note(tx, "layer", chain)?;
        released.layers.push((chain.parse()?, size));
    }
    for blob in blobs {
        if !is_used_blob(tx, &blob)? {
            note(tx, "blob", &blob)?;
            released.blobs.push(blob.parse()?);
        }
    }
    Ok(released)
}

/// Bytes of a layer that has a row, but belongs to nothing.
fn unused_layer(db: &Connection, chain: &str) -> Result<Option<u64>> {
    let sql = "SELECT size FROM layers WHERE chain_id = ?1
               AND NOT EXISTS (SELECT 1 FROM image_layers WHERE chain_id = ?1)
               AND NOT EXISTS (SELECT 1 FROM held_layers WHERE chain_id = ?1)
               AND NOT EXISTS (SELECT 1 FROM build_cache WHERE chain_id = ?1)";
    let size: Option<i64> = db.prepare_cached(sql)?.query_row([chain], |row| row.get(0)).optional()?;
    Ok(size.map(|size| size as u64))
}

/// Whether a row refers to a blob.
pub fn is_used_blob(db: &Connection, blob: &str) -> Result<bool> {
    let sql = "SELECT 1 FROM images WHERE id = ?1 UNION ALL SELECT 1 FROM images WHERE manifest = ?1
               UNION ALL SELECT 1 FROM image_layers WHERE blob = ?1 UNION ALL SELECT 1 FROM build_cache WHERE blob = ?1";
    Ok(db.prepare_cached(sql)?.exists([blob])?)
}

fn note(tx: &Transaction<'_>, kind: &str, digest: &str) -> Result<()> {
    tx.prepare_cached("INSERT OR IGNORE INTO garbage VALUES (?1, ?2)")?.execute([kind, digest])?;
    Ok(())
}

impl Store {
    /// Moves the files that rows let go of into the trash. Does nothing while another process adds content: then the next
    /// call does it.
    pub fn take_out_garbage(&self) -> Result<Swept> {
        self.release_held_layers()?;
        let mut swept = Swept::default();
        if !self.has_garbage()? {
            return Ok(swept);
        }
        let Some(_alone) = self.try_exclude_content()? else {
            swept.busy = true;
            return Ok(swept);
        };
        for (kind, digest) in self.read(garbage)? {
            let digits = digest.trim_start_matches("sha256:");
            let (folder, count, used) = if kind == "layer" {
                let known = "SELECT 1 FROM layers WHERE chain_id = ?1";
                let used = self.read(|db| Ok(db.prepare_cached(known)?.exists([&digest])?))?;
                (layout::LAYERS, &mut swept.layers, used)
            } else {
                (layout::BLOBS, &mut swept.blobs, self.read(|db| is_used_blob(db, &digest))?)
            };
            if used {
                continue;
            }
            if kind == "layer" {
                self.let_go(digits);
            }
            let path = self.root.join(folder).join(digits);
            match fs::rename(&path, self.trash_name()?) {
                Ok(()) => *count += 1,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error).doing(|| format!("cannot remove `{}`", path.display())),
            }
        }
        // After a power loss the rows may be back: then this is done again.
        self.write(|tx| Ok(tx.execute("DELETE FROM garbage", []).map(drop)?))?;
        Ok(swept)
    }

    /// Whether files wait for [`Self::take_out_garbage`].
    pub fn has_garbage(&self) -> Result<bool> {
        self.read(|db| Ok(db.prepare_cached("SELECT 1 FROM garbage LIMIT 1")?.exists([])?))
    }

    /// Layers of images that are gone go with the last container made from them.
    pub(super) fn release_held_layers(&self) -> Result<()> {
        const LET_GO: &str = "SELECT image, chain_id FROM held_layers
                              WHERE NOT EXISTS (SELECT 1 FROM containers WHERE image_id = held_layers.image)";
        if !self.read(|db| Ok(db.prepare_cached(LET_GO)?.exists([])?))? {
            return Ok(());
        }
        self.write_durable(|tx| {
            let mut statement = tx.prepare(LET_GO)?;
            let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
            let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
            for (image, chain) in &rows {
                tx.execute("DELETE FROM held_layers WHERE image = ?1 AND chain_id = ?2", params![image, chain])?;
            }
            let chains: Vec<String> = rows.into_iter().map(|(_, chain)| chain).collect();
            release(tx, &chains, BTreeSet::new()).map(drop)
        })
    }
}

fn garbage(db: &Connection) -> Result<Vec<(String, String)>> {
    let mut statement = db.prepare_cached("SELECT kind, digest FROM garbage")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
    Ok(rows)
}
