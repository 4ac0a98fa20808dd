//! Docker's archives: `manifest.json` names the files of each image.

use super::members::Members;
use super::{Found, FoundManifest};
use crate::archive::Compression;
use crate::error::{Error, IoContext, Result};
use crate::image::manifest::write_manifest;
use crate::model::{Descriptor, Reference};
use crate::registry::{Bounded, MAX_LAYERS};
use crate::store::Content;
use serde::Deserialize;
use std::collections::HashMap;
use std::io::Read;

/// The document that says what is in the archive.
pub const MANIFEST: &str = "manifest.json";

const MAX_IMAGES: usize = 1024;
const MAX_NAMES: usize = 1024;
/// Enough to tell how a layer is compressed.
const START: u64 = 8;

/// One image of the archive.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    config: String,
    repo_tags: Option<Bounded<String, MAX_NAMES>>,
    layers: Option<Bounded<String, MAX_LAYERS>>,
}

/// The images, each with a manifest of ours: the archive has none.
pub fn images(content: &Content<'_>, members: &Members) -> Result<Vec<Found>> {
    let document = members.document(MANIFEST).unwrap_or_default();
    let entries: Bounded<Entry, MAX_IMAGES> = serde_json::from_slice(document)
        .map_err(|error| Error::corrupt(format!("`{MANIFEST}` of the archive cannot be read: {error}")))?;
    // The same layer is looked at once, however many images have it.
    let mut known = HashMap::new();
    entries.0.iter().map(|entry| image(content, members, entry, &mut known)).collect()
}

fn image(
    content: &Content<'_>,
    members: &Members,
    entry: &Entry,
    known: &mut HashMap<String, Descriptor>,
) -> Result<Found> {
    let (digest, size) = members.find(&entry.config)?;
    let config = Descriptor { media_type: String::new(), digest: digest.clone(), size };
    let mut layers = Vec::new();
    for name in entry.layers.iter().flat_map(|layers| &layers.0) {
        let layer = match known.get(name) {
            Some(layer) => layer.clone(),
            None => layer(content, members, name).map_err(|error| error.context(format!("layer `{name}`")))?,
        };
        known.insert(name.clone(), layer.clone());
        layers.push(layer);
    }
    let mut names = Vec::new();
    for tag in entry.repo_tags.iter().flat_map(|tags| &tags.0) {
        names.push(name(tag)?);
    }
    let manifest = FoundManifest::Made(write_manifest(&config.digest, config.size, &layers));
    Ok(Found { manifest, config, layers, names })
}

fn layer(content: &Content<'_>, members: &Members, name: &str) -> Result<Descriptor> {
    let (digest, size) = members.find(name)?;
    let mut start = Vec::new();
    members.open(content, digest)?.take(START).read_to_end(&mut start).doing(|| format!("cannot read `{name}`"))?;
    let media_type = Compression::detect(&start)?.layer_type().to_owned();
    Ok(Descriptor { media_type, digest: digest.clone(), size })
}

/// A name that an archive gives to an image.
pub fn name(text: &str) -> Result<Reference> {
    let refused = || Error::corrupt(format!("the archive names an image `{}`", text.escape_debug()));
    let name: Reference = text.parse().map_err(|_| refused())?;
    if name.digest().is_some() { Err(refused()) } else { Ok(name) }
}
