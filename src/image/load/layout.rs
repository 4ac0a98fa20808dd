//! OCI image layouts: `index.json` leads to manifests, over more indexes where there are several platforms.

use super::docker;
use super::members::Members;
use super::{Found, FoundManifest};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Descriptor, Digest, Platform, Reference};
use crate::registry::{ImageDocument, Index, IndexEntry, read_document};
use crate::store::Content;
use serde::Deserialize;
use std::cell::Cell;

/// The document that says what is in the layout.
pub const INDEX: &str = "index.json";
const VERSION: &str = "oci-layout";

/// containerd's whole name of an image.
const NAME: &str = "io.containerd.image.name";
/// The OCI's: often a tag alone.
const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// How deep indexes may lead to indexes; what is published has two.
const MAX_DEPTH: usize = 4;
/// Manifests and indexes that are read of one archive.
const MAX_DOCUMENTS: usize = 4096;

/// The images: for each name the one for this platform.
pub fn images(content: &Content<'_>, members: &Members, platform: &Platform) -> Result<Vec<Found>> {
    check_version(members)?;
    let document = members.document(INDEX).unwrap_or_default();
    let index = Index::parse(document).map_err(|error| error.context(format!("`{INDEX}` of the archive")))?;
    let layout = Layout { content, members, platform, read: Cell::new(0) };
    let mut images: Vec<Found> = Vec::new();
    for (name, entries) in by_name(index)? {
        for digest in layout.chosen(entries)? {
            let image = layout.image(&digest, 0).map_err(|error| match &name {
                Some(name) => error.context(format!("image `{name}`")),
                None => error.context(format!("manifest `{}`", digest.short())),
            })?;
            match images.iter_mut().find(|other| other.config.digest == image.config.digest) {
                Some(known) => known.names.extend(name.clone()),
                None => images.push(Found { names: name.clone().into_iter().collect(), ..image }),
            }
        }
    }
    Ok(images)
}

fn check_version(members: &Members) -> Result<()> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Version {
        image_layout_version: String,
    }
    let Some(document) = members.document(VERSION) else { return Ok(()) };
    let version: Version = serde_json::from_slice(document)
        .map_err(|error| Error::corrupt(format!("`{VERSION}` of the archive cannot be read: {error}")))?;
    match version.image_layout_version.split('.').next() {
        Some("1") => Ok(()),
        _ => Err(Error::unsupported(format!("the archive is an OCI image layout {}", version.image_layout_version))),
    }
}

/// Entries that have a name in common are one image for several platforms.
fn by_name(index: Index) -> Result<Vec<(Option<Reference>, Vec<IndexEntry>)>> {
    let mut groups: Vec<(Option<Reference>, Vec<IndexEntry>)> = Vec::new();
    for entry in index.entries {
        let name = name_of(&entry)?;
        match groups.iter_mut().find(|(known, _)| *known == name) {
            Some((_, entries)) => entries.push(entry),
            None => groups.push((name, vec![entry])),
        }
    }
    Ok(groups)
}

fn name_of(entry: &IndexEntry) -> Result<Option<Reference>> {
    if let Some(name) = entry.annotations.get(NAME) {
        return docker::name(name).map(Some);
    }
    // A tag alone is a name of nothing.
    let whole = entry.annotations.get(REF_NAME).filter(|name| name.contains([':', '/']) && !name.contains('@'));
    Ok(whole.and_then(|name| name.parse().ok()))
}

struct Layout<'a> {
    content: &'a Content<'a>,
    members: &'a Members,
    platform: &'a Platform,
    /// Documents so far.
    read: Cell<usize>,
}

impl Layout<'_> {
    /// Of the entries with a platform the best, and all that have none: what those are for is said further down.
    fn chosen(&self, entries: Vec<IndexEntry>) -> Result<Vec<Digest>> {
        let (for_platforms, others): (Vec<_>, Vec<_>) =
            entries.into_iter().filter(IndexEntry::is_no_attestation).partition(|entry| entry.platform.is_some());
        let mut chosen: Vec<Digest> = others.into_iter().map(|entry| entry.digest).collect();
        if let [only] = &for_platforms[..] {
            // There is no choice: as with `docker load`, it need not be for this machine.
            chosen.push(only.digest.clone());
        } else if !for_platforms.is_empty() {
            chosen.push(Index { entries: for_platforms }.choose(self.platform)?.digest.clone());
        }
        Ok(chosen)
    }

    fn image(&self, digest: &Digest, depth: usize) -> Result<Found> {
        let bytes = self.document(digest)?;
        match read_document(None, &bytes)? {
            ImageDocument::Manifest { config, layers } => {
                for blob in layers.iter().chain([&config]) {
                    self.check(blob)?;
                }
                let manifest = FoundManifest::Blob(digest.clone());
                Ok(Found { manifest, config, layers, names: Vec::new() })
            }
            ImageDocument::Index(_) if depth == MAX_DEPTH => {
                Err(Error::corrupt("its indexes lead to ever more indexes"))
            }
            ImageDocument::Index(index) => self.of_index(&index, depth),
        }
    }

    /// The best of its images; where it has none for this platform, that of the first index in it that has one.
    fn of_index(&self, index: &Index, depth: usize) -> Result<Found> {
        let none = match index.choose(self.platform) {
            Ok(entry) => return self.image(&entry.digest, depth + 1),
            Err(none) => none,
        };
        for entry in index.entries.iter().filter(|entry| entry.is_index()) {
            match self.image(&entry.digest, depth + 1) {
                Err(error) if error.is(ErrorKind::NotFound) => {}
                found => return found,
            }
        }
        Err(none)
    }

    fn document(&self, digest: &Digest) -> Result<Vec<u8>> {
        // Indexes may name each other more often than anybody could follow.
        self.read.set(self.read.get() + 1);
        if self.read.get() > MAX_DOCUMENTS {
            return Err(Error::corrupt("its indexes lead to ever more indexes"));
        }
        self.find(digest)?;
        self.members.read_small(self.content, digest)
    }

    fn check(&self, blob: &Descriptor) -> Result<()> {
        let size = self.find(&blob.digest)?;
        if size == blob.size {
            return Ok(());
        }
        Err(Error::corrupt(format!("blob `{}` has {size} bytes, not {} as it should", blob.digest, blob.size)))
    }

    fn find(&self, digest: &Digest) -> Result<u64> {
        Ok(self.members.find(&format!("blobs/sha256/{}", digest.hex()))?.1)
    }
}
