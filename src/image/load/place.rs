//! The images of an archive into the store: blobs, layers, and at the end the rows of all of them at once.

use super::members::Members;
use super::{Found, FoundManifest};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::image::commit::{CommittedLayer, NewImage, commit_all};
use crate::image::config::parse_config;
use crate::image::layer::place_layer;
use crate::model::Digest;
use crate::store::rusqlite::OptionalExtension;
use crate::store::{Content, Layer, Store};

/// Places all of them; the images are there when this returns, and none of them before.
pub fn place(content: &Content<'_>, mut members: Members, images: Vec<Found>, cx: &Context) -> Result<Vec<Digest>> {
    let mut placed = Vec::new();
    for image in &images {
        placed.push(one(content, &mut members, image, cx).map_err(|error| match image.names.first() {
            Some(name) => error.context(format!("image `{name}`")),
            None => error.context(format!("image `{}`", image.config.digest.short())),
        })?);
    }
    let new: Vec<_> = images
        .iter()
        .zip(&placed)
        .map(|(image, (manifest, layers))| NewImage {
            manifest: manifest.clone(),
            config: image.config.digest.clone(),
            layers,
            names: &image.names,
            digests: &[],
        })
        .collect();
    commit_all(content, &new)?;
    Ok(images.into_iter().map(|image| image.config.digest).collect())
}

fn one(
    content: &Content<'_>,
    members: &mut Members,
    image: &Found,
    cx: &Context,
) -> Result<(Digest, Vec<CommittedLayer>)> {
    let config = parse_config(&members.read_small(content, &image.config.digest)?)?;
    let diff_ids = config.rootfs().diff_ids();
    if diff_ids.len() != image.layers.len() {
        let (layers, config) = (image.layers.len(), diff_ids.len());
        return Err(Error::corrupt(format!("the archive has {layers} layers for it, its config {config}")));
    }
    members.keep(&image.config.digest)?;
    let mut blobs: Vec<Digest> = image.layers.iter().map(|layer| layer.digest.clone()).collect();
    let manifest = match &image.manifest {
        FoundManifest::Blob(digest) => {
            members.keep(digest)?;
            digest.clone()
        }
        FoundManifest::Made(bytes) => match known(content.store(), &image.config.digest)? {
            // A registry may know that one, and none knows what is made here.
            Some((manifest, known)) if known.len() == blobs.len() && known.iter().all(|blob| has(content, blob)) => {
                blobs = known;
                manifest
            }
            _ => content.put_blob(bytes)?,
        },
    };
    let mut layers: Vec<CommittedLayer> = Vec::new();
    for (blob, diff_id) in blobs.into_iter().zip(diff_ids) {
        cx.check()?;
        members.keep(&blob)?;
        let below = layers.last().map(|below| &below.layer.chain_id);
        let layer: Layer = place_layer(content, below, &diff_id.parse()?, &blob, cx)
            .map_err(|error| error.context(format!("layer `{}`", blob.short())))?;
        layers.push(CommittedLayer { layer, blob });
    }
    Ok((manifest, layers))
}

fn has(content: &Content<'_>, blob: &Digest) -> bool {
    content.store().has_blob(blob)
}

/// The manifest of an image that is here already, and the blobs of its layers.
fn known(store: &Store, id: &Digest) -> Result<Option<(Digest, Vec<Digest>)>> {
    let id = id.to_string();
    let (manifest, blobs) = store.read(|db| {
        let manifest: Option<String> =
            db.query_row("SELECT manifest FROM images WHERE id = ?1", [&id], |row| row.get(0)).optional()?;
        let mut statement = db.prepare("SELECT blob FROM image_layers WHERE image = ?1 ORDER BY position")?;
        let blobs: Vec<String> = statement.query_map([&id], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok((manifest, blobs))
    })?;
    let Some(manifest) = manifest else { return Ok(None) };
    Ok(Some((manifest.parse()?, blobs.iter().map(|blob| blob.parse()).collect::<Result<_>>()?)))
}
