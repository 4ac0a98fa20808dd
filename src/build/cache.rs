//! What steps made before: the same inputs on the same layers give the same layer.
//!
//! A step is remembered as soon as it is done, so that a build that fails or is killed has not worked for nothing. Its
//! files reach the disk with the end of a build only; until then its row is valid during this boot.

use super::layer;
use super::remote_cache::RemoteCache;
use crate::context::Context;
use crate::error::{ErrorKind, Result};
use crate::image::place_layer;
use crate::model::{Descriptor, Digest};
use crate::store::rusqlite::{OptionalExtension, Row, params};
use crate::store::{Content, Layer, LayerSlot, chain_id};
use crate::sys::process;
use sha2::{Digest as _, Sha256};
use std::sync::{Mutex, PoisonError};

/// A layer and its blob.
#[derive(Clone, Debug)]
pub struct BuiltLayer {
    pub layer: Layer,
    pub blob: Descriptor,
}

/// What a step came to.
#[derive(Clone, Debug)]
pub struct Made {
    /// Its layer; `None`: it changed nothing.
    pub layer: Option<BuiltLayer>,
    /// When, UTC nanoseconds.
    pub created: i64,
}

/// The key of a step: what it is, its inputs, and what is below.
pub fn key(below: Option<&Digest>, step: &str, inputs: &[u8]) -> String {
    let mut hasher = Sha256::new();
    hasher.update(below.map(ToString::to_string).unwrap_or_default());
    hasher.update([0]);
    hasher.update(step);
    hasher.update([0]);
    hasher.update(inputs);
    hex::encode(hasher.finalize())
}

/// The cache as one build uses it.
pub struct Cache<'a> {
    content: &'a Content<'a>,
    /// Keys that were found or made, for the next prune.
    used: Mutex<Vec<String>>,
    /// Of registries, in the order in which they are asked.
    elsewhere: Vec<RemoteCache<'a>>,
}

struct Found {
    diff_id: Option<Digest>,
    blob: Option<Descriptor>,
    created: i64,
}

impl<'a> Cache<'a> {
    /// Of this store.
    pub fn new(content: &'a Content<'a>) -> Self {
        Self { content, used: Mutex::new(Vec::new()), elsewhere: Vec::new() }
    }

    /// Takes steps from a registry, too.
    pub fn add(&mut self, elsewhere: RemoteCache<'a>) {
        self.elsewhere.push(elsewhere);
    }

    /// What the step made before, on top of `below`, when all of it is still here.
    pub fn look_up(&self, key: &str, below: Option<&Digest>, cx: &Context) -> Result<Option<Made>> {
        let Some(found) = self.row(key)? else { return self.fetch(key, below, cx) };
        let (Some(diff_id), Some(blob)) = (found.diff_id, found.blob) else {
            self.note_use(key);
            return Ok(Some(Made { layer: None, created: found.created }));
        };
        let layer = match self.content.layer(&chain_id(below, &diff_id), &cx.cancel)? {
            LayerSlot::Present(layer) => layer,
            // The same files were made on top of something else.
            LayerSlot::Needed(draft) => {
                drop(draft);
                if !self.content.store().has_blob(&blob.digest) {
                    return Ok(None);
                }
                place_layer(self.content, below, &diff_id, &blob.digest, cx)?
            }
        };
        if !self.content.store().has_blob(&blob.digest) {
            return Ok(None);
        }
        self.note_use(key);
        Ok(Some(Made { layer: Some(BuiltLayer { layer, blob }), created: found.created }))
    }

    /// What a registry has for a key. That it cannot be had is no failure: the step is done then.
    fn fetch(&self, key: &str, below: Option<&Digest>, cx: &Context) -> Result<Option<Made>> {
        for cache in &self.elsewhere {
            match cache.fetch(self.content, key, below, cx) {
                Ok(None) => {}
                Ok(Some((step, made))) => {
                    self.remember(key, &step, &made)?;
                    return Ok(Some(made));
                }
                Err(error) if error.is(ErrorKind::Cancelled) || error.is(ErrorKind::Timeout) => return Err(error),
                Err(error) => cx.progress.warn(&format!("a step was not taken from the cache: {}", error.message())),
            }
        }
        Ok(None)
    }

    /// Keeps what a step made, with what it is.
    pub fn remember(&self, key: &str, step: &str, made: &Made) -> Result<()> {
        self.note_use(key);
        let boot_id = process::boot_id()?;
        self.content.store().write(|tx| {
            let built = made.layer.as_ref();
            tx.prepare_cached(
                "INSERT OR REPLACE INTO build_cache
                   (key, chain_id, diff_id, blob, blob_size, media_type, size, entries, step, created, used, boot_id)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10, ?11)",
            )?
            .execute(params![
                key,
                built.map(|built| built.layer.chain_id.to_string()),
                built.map(|built| built.layer.info.diff_id.to_string()),
                built.map(|built| built.blob.digest.to_string()),
                built.map_or(0, |built| built.blob.size as i64),
                built.map(|built| built.blob.media_type.as_str()),
                built.map_or(0, |built| built.layer.info.size as i64),
                built.map_or(0, |built| built.layer.info.entries as i64),
                step,
                made.created,
                boot_id,
            ])?;
            Ok(())
        })
    }

    /// Keys that this build has found or made.
    pub fn used(&self) -> Vec<String> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A build has ended well: what it used was used now, and what it made is on the disk.
    ///
    /// `synced`: all files written so far are.
    pub fn settle(&self, synced: bool) -> Result<()> {
        let used = self.used();
        if used.is_empty() {
            return Ok(());
        }
        let now = now();
        self.content.store().write(|tx| {
            let mut touch = tx.prepare_cached("UPDATE build_cache SET used = ?2, uses = uses + 1 WHERE key = ?1")?;
            for key in &used {
                touch.execute(params![key, now])?;
            }
            if synced {
                for key in &used {
                    settle(tx, key)?;
                }
            }
            Ok(())
        })
    }

    /// Whether what this build used has to reach the disk.
    pub fn is_unsettled(&self) -> Result<bool> {
        let used = self.used();
        self.content.store().read(|db| {
            let mut statement =
                db.prepare_cached("SELECT 1 FROM build_cache WHERE key = ?1 AND boot_id IS NOT NULL")?;
            for key in &used {
                if statement.exists([key])? {
                    return Ok(true);
                }
            }
            Ok(false)
        })
    }

    fn row(&self, key: &str) -> Result<Option<Found>> {
        let boot_id = process::boot_id()?;
        let row = self.content.store().read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT diff_id, blob, blob_size, media_type, created FROM build_cache
                 WHERE key = ?1 AND (boot_id IS NULL OR boot_id = ?2)",
            )?;
            Ok(statement.query_row([key, boot_id], columns).optional()?)
        })?;
        row.map(|(diff_id, blob, size, media_type, created)| {
            let blob = match blob {
                Some(blob) => Some(Descriptor {
                    media_type: media_type.unwrap_or_else(|| layer::MEDIA_TYPE.to_owned()),
                    digest: blob.parse()?,
                    size: size as u64,
                }),
                None => None,
            };
            Ok(Found { diff_id: diff_id.map(|text| text.parse()).transpose()?, blob, created })
        })
        .transpose()
    }

    fn note_use(&self, key: &str) {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).push(key.to_owned());
    }
}

type Columns = (Option<String>, Option<String>, i64, Option<String>, i64);

fn columns(row: &Row<'_>) -> crate::store::rusqlite::Result<Columns> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
}

/// Gives a row's layer a row of its own: it lasts.
fn settle(tx: &crate::store::rusqlite::Transaction<'_>, key: &str) -> Result<()> {
    tx.prepare_cached(
        "INSERT OR IGNORE INTO layers (chain_id, diff_id, size, entries)
         SELECT chain_id, diff_id, size, entries FROM build_cache
         WHERE key = ?1 AND chain_id IS NOT NULL AND boot_id IS NOT NULL",
    )?
    .execute([key])?;
    tx.prepare_cached("UPDATE build_cache SET boot_id = NULL WHERE key = ?1")?.execute([key])?;
    Ok(())
}

/// Now, UTC nanoseconds.
pub fn now() -> i64 {
    jiff::Timestamp::now().as_nanosecond() as i64
}
