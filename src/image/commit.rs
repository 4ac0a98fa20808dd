//! Layers, a config and a manifest that are in the store become an image.

use super::config::{MAX_CONFIG, parse_config};
use super::summary::{Summary, touch};
use crate::error::{Error, Result};
use crate::model::{Digest, Reference};
use crate::store::rusqlite::{Transaction, params};
use crate::store::{Content, Layer, Store, chain_id};

/// An image about to be.
#[derive(Debug)]
pub struct NewImage<'a> {
    /// Digest of the manifest's blob.
    pub manifest: Digest,
    /// Digest of the config's blob: the image's id.
    pub config: Digest,
    /// Bottom first.
    pub layers: &'a [CommittedLayer],
    /// Names for it; they are taken from images that have them now.
    pub names: &'a [Reference],
    /// Repositories (canonical, without tag) and the digests under which they have it.
    pub digests: &'a [(String, Digest)],
}

/// One of its layers.
#[derive(Clone, Debug)]
pub struct CommittedLayer {
    /// Unpacked.
    pub layer: Layer,
    /// As the manifest has it.
    pub blob: Digest,
}

/// Makes the image last: when this returns, it survives a loss of power; until then there is nothing of
/// it. Gives its id.
///
/// # Errors
/// `corrupt` when the layers are not those that the config names.
pub fn commit(content: &Content<'_>, image: &NewImage<'_>) -> Result<Digest> {
    commit_child(content, image, None)
}

/// The same for an image that was made from another one, its parent.
pub fn commit_child(content: &Content<'_>, image: &NewImage<'_>, parent: Option<&Digest>) -> Result<Digest> {
    commit_with(content, std::slice::from_ref(image), parent)?;
    Ok(image.config.clone())
}

/// The same with several: all of them, or none.
pub fn commit_all(content: &Content<'_>, images: &[NewImage<'_>]) -> Result<()> {
    commit_with(content, images, None)
}

fn commit_with(content: &Content<'_>, images: &[NewImage<'_>], parent: Option<&Digest>) -> Result<()> {
    let mut summaries = Vec::with_capacity(images.len());
    let mut all_known = true;
    for image in images {
        summaries.push(check(content.store(), image)?);
        for layer in image.layers {
            all_known &= content.store().layer(&layer.layer.chain_id)?.is_some();
        }
    }
    if !all_known {
        content.sync_layers()?;
    }
    content.store().write_durable(|tx| {
        images.iter().zip(&summaries).try_for_each(|(image, summary)| insert(tx, image, summary, parent))
    })
}

/// Whether all of it is here; gives what its config says.
fn check(store: &Store, image: &NewImage<'_>) -> Result<Summary> {
    let config = parse_config(&store.read_blob(&image.config, MAX_CONFIG)?)?;
    check_layers(image, config.rootfs().diff_ids())?;
    for blob in image.layers.iter().map(|layer| &layer.blob).chain([&image.manifest]) {
        if !store.has_blob(blob) {
            return Err(Error::corrupt(format!("blob `{blob}` of the image is missing")));
        }
    }
    Summary::of(&config)
}

fn check_layers(image: &NewImage<'_>, diff_ids: &[String]) -> Result<()> {
    let mut chain = None;
    let mut right = diff_ids.len() == image.layers.len();
    for (CommittedLayer { layer, .. }, diff_id) in image.layers.iter().zip(diff_ids) {
        let expected = chain_id(chain.as_ref(), &layer.info.diff_id);
        right &= layer.info.diff_id.to_string() == *diff_id && layer.chain_id == expected;
        chain = Some(expected);
    }
    if right { Ok(()) } else { Err(Error::corrupt("the image's layers are not those of its config")) }
}

fn insert(tx: &Transaction<'_>, image: &NewImage<'_>, summary: &Summary, parent: Option<&Digest>) -> Result<()> {
    let id = image.config.to_string();
    let size: u64 = image.layers.iter().map(|layer| layer.layer.info.size).sum();
    let created = summary.created.map(|time| time.as_nanosecond() as i64);
    let now = jiff::Timestamp::now().as_nanosecond() as i64;
    tx.execute(
        "INSERT INTO images (id, manifest, size, created, added, summary, parent) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
         ON CONFLICT (id) DO UPDATE SET manifest = excluded.manifest, summary = excluded.summary",
        params![
            id,
            image.manifest.to_string(),
            size as i64,
            created,
            now,
            summary.to_json()?,
            // Steps that change nothing give the image itself.
            parent.map(ToString::to_string).filter(|parent| *parent != id),
        ],
    )?;
    for (position, CommittedLayer { layer, blob }) in image.layers.iter().enumerate() {
        let chain = layer.chain_id.to_string();
        tx.execute(
            "INSERT OR IGNORE INTO layers (chain_id, diff_id, size, entries) VALUES (?1, ?2, ?3, ?4)",
            params![chain, layer.info.diff_id.to_string(), layer.info.size as i64, layer.info.entries as i64],
        )?;
        // The same layers may come compressed in another way: the manifest of now is what counts.
        tx.execute(
            "INSERT OR REPLACE INTO image_layers (image, position, chain_id, blob) VALUES (?1, ?2, ?3, ?4)",
            params![id, position as i64, chain, blob.to_string()],
        )?;
    }
    for name in image.names {
        tx.execute("INSERT OR REPLACE INTO image_names (name, image) VALUES (?1, ?2)", params![name.canonical(), id])?;
    }
    for (repository, digest) in image.digests {
        tx.execute(
            "INSERT OR IGNORE INTO image_digests (repository, digest, image) VALUES (?1, ?2, ?3)",
            params![repository, digest.to_string(), id],
        )?;
    }
    touch(tx, &id, !image.names.is_empty())
}
