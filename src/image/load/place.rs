//! The images of an archive into the store: blobs, layers, and at the end the rows of all of them at once.

use super::members::Members;
use super::{Found, FoundManifest};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::image::commit::{CommittedLayer, NewImage, commit_all};
use crate::image::config::parse_config;
use crate::image::layer::place_layer;
use crate::model::Digest;
use crate::store::{Content, Layer};

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
    let manifest = match &image.manifest {
        FoundManifest::Blob(digest) => {
            members.keep(digest)?;
            digest.clone()
        }
        FoundManifest::Made(bytes) => content.put_blob(bytes)?,
    };
    let mut layers: Vec<CommittedLayer> = Vec::new();
    for (blob, diff_id) in image.layers.iter().zip(diff_ids) {
        cx.check()?;
        members.keep(&blob.digest)?;
        let below = layers.last().map(|below| &below.layer.chain_id);
        let layer: Layer = place_layer(content, below, &diff_id.parse()?, &blob.digest, cx)
            .map_err(|error| error.context(format!("layer `{}`", blob.digest.short())))?;
        layers.push(CommittedLayer { layer, blob: blob.digest.clone() });
    }
    Ok((manifest, layers))
}
