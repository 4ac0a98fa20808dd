//! Images into an archive, straight from the store: an OCI image layout as a tar, with Docker's `manifest.json` or without.

use super::config::MAX_CONFIG;
use super::lookup;
use super::manifest::MANIFEST_TYPE;
use crate::archive::TarWriter;
use crate::archive::member::{Member, MemberKind, Path, Time};
use crate::context::Context;
use crate::error::{Error, IoContext, Result};
use crate::events::{self, Occurrence};
use crate::model::{ArchiveFormat, Descriptor, Digest, Reference, size};
use crate::store::rusqlite::OptionalExtension;
use crate::store::{Content, Store};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};

/// Writes the images that `texts` mean; an image that is meant by an id gets no name. The same images always give the
/// same bytes, and every blob is as it was pulled.
///
/// # Errors
/// `not_found` when one of them is not here, `corrupt` when a blob does not match its digest.
pub fn save(
    store: &Store,
    texts: &[String],
    format: ArchiveFormat,
    output: &mut dyn Write,
    cx: &Context,
) -> Result<()> {
    // Held until the end: what is removed meanwhile is swept later.
    let content = store.content(&cx.cancel)?;
    let images = images(&content, texts)?;
    write(store, &images, format, output, cx).map_err(|error| explain_full_disk(error, &images))?;
    for image in &images {
        let id = image.config.digest.to_string();
        events::record(store.root(), &[Occurrence::image("save", &id, &id)]);
    }
    Ok(())
}

/// Where the archive is written is the caller's business; how large it gets is known here.
fn explain_full_disk(error: Error, images: &[Saved]) -> Error {
    if !error.is_full_disk() {
        return error;
    }
    let blobs = images.iter().flat_map(|image| image.layers.iter().chain([&image.config, &image.manifest]));
    let sizes: BTreeMap<_, _> = blobs.map(|blob| (&blob.digest, blob.size)).collect();
    error.with_space(&format!("the archive needs at least {}", size::format(sizes.values().sum())))
}

/// An image to be written.
struct Saved {
    config: Descriptor,
    manifest: Descriptor,
    layers: Vec<Descriptor>,
    names: Vec<Reference>,
}

fn images(content: &Content<'_>, texts: &[String]) -> Result<Vec<Saved>> {
    let store = content.store();
    let mut images: Vec<Saved> = Vec::new();
    for text in texts {
        let id = lookup::require(store, text)?;
        let name = text.parse::<Reference>().ok().filter(|name| name.digest().is_none());
        let name = match name {
            Some(name) if is_name_of(store, &name, &id)? => Some(name),
            _ => None,
        };
        let known = images.iter().position(|image| image.config.digest == id);
        let at = known.unwrap_or(images.len());
        if known.is_none() {
            images.push(read(store, &id)?);
        }
        let names = &mut images[at].names;
        if let Some(name) = name.filter(|name| !names.contains(name)) {
            names.push(name);
        }
    }
    Ok(images)
}

fn is_name_of(store: &Store, name: &Reference, id: &Digest) -> Result<bool> {
    let sql = "SELECT image FROM image_names WHERE name = ?1";
    let found: Option<String> =
        store.read(|db| Ok(db.prepare_cached(sql)?.query_row([name.canonical()], |row| row.get(0)).optional()?))?;
    Ok(found == Some(id.to_string()))
}

fn read(store: &Store, id: &Digest) -> Result<Saved> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Manifest {
        media_type: Option<String>,
        config: Descriptor,
        layers: Vec<Descriptor>,
    }
    let sql = "SELECT manifest FROM images WHERE id = ?1";
    let digest: Option<String> =
        store.read(|db| Ok(db.prepare_cached(sql)?.query_row([id.to_string()], |row| row.get(0)).optional()?))?;
    let digest = digest.ok_or_else(|| Error::not_found(format!("image `{}` was removed meanwhile", id.short())))?;
    let digest: Digest = digest.parse()?;
    let bytes = store.read_blob(&digest, MAX_CONFIG)?;
    let manifest: Manifest = serde_json::from_slice(&bytes)
        .map_err(|error| Error::corrupt(format!("image `{}` cannot be read: {error}", id.short())))?;
    let media_type = manifest.media_type.unwrap_or_else(|| MANIFEST_TYPE.to_owned());
    Ok(Saved {
        manifest: Descriptor { media_type, digest, size: bytes.len() as u64 },
        config: manifest.config,
        layers: manifest.layers,
        names: Vec::new(),
    })
}

fn write(store: &Store, images: &[Saved], format: ArchiveFormat, output: &mut dyn Write, cx: &Context) -> Result<()> {
    let doing = || "cannot write the archive";
    let mut writer = TarWriter::new(output);
    // What the rest means comes first, so that a reader of the stream knows it in time.
    let mut documents = vec![("oci-layout", json!({ "imageLayoutVersion": "1.0.0" })), ("index.json", index(images))];
    if format == ArchiveFormat::Docker {
        documents.push(("manifest.json", manifest_json(images)));
        documents.push(("repositories", repositories(images)));
    }
    for (name, document) in documents {
        let text = document.to_string();
        writer.add(&member(name, MemberKind::File, text.len() as u64), text.as_bytes()).doing(doing)?;
    }
    for folder in ["blobs", "blobs/sha256"] {
        writer.add(&member(folder, MemberKind::Directory, 0), io::empty()).doing(doing)?;
    }
    let mut written = BTreeSet::new();
    for image in images {
        for blob in [&image.manifest, &image.config].into_iter().chain(&image.layers) {
            if written.insert(blob.digest.clone()) {
                add_blob(store, &mut writer, blob, cx)?;
            }
        }
    }
    writer.finish().and_then(Write::flush).doing(doing)
}

fn add_blob(store: &Store, writer: &mut TarWriter<&mut dyn Write>, blob: &Descriptor, cx: &Context) -> Result<()> {
    let size = store.blob_size(&blob.digest)?;
    if size != blob.size {
        return Err(broken(&blob.digest));
    }
    let label = format!("saving {}", blob.digest.short());
    let item = cx.progress.start(&label, Some(size));
    let mut source = Checked { file: store.open_blob(&blob.digest)?, hasher: Sha256::new(), cx, item: &*item };
    let name = format!("blobs/sha256/{}", blob.digest.hex());
    writer
        .add(&member(&name, MemberKind::File, size), (&mut source).take(size))
        .doing(|| "cannot write the archive")?;
    if Digest::from_sha256(&source.hasher.finalize()) == blob.digest { Ok(()) } else { Err(broken(&blob.digest)) }
}

fn broken(digest: &Digest) -> Error {
    Error::corrupt(format!("blob `{digest}` of the store does not match its digest"))
        .hint("pull the image again: `shanty eval 'image(\"NAME\").pull()'`")
}

fn member(name: &str, kind: MemberKind, size: u64) -> Member {
    let mode = if kind == MemberKind::Directory { 0o755 } else { 0o644 };
    let path = Path::parse(name.as_bytes()).unwrap_or_default();
    Member { path, kind, mode, uid: 0, gid: 0, mtime: Time::default(), size, xattrs: Vec::new() }
}

/// A blob being read: hashed, and stopped when it has to be.
struct Checked<'a, R> {
    file: R,
    hasher: Sha256,
    cx: &'a Context,
    item: &'a dyn crate::context::ProgressItem,
}

impl<R: Read> Read for Checked<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.cx.check().map_err(io::Error::other)?;
        let count = self.file.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        self.item.advance(count as u64);
        Ok(count)
    }
}

/// One entry for each name, with containerd's annotation for the whole name and the OCI's for the tag, as Docker writes.
fn index(images: &[Saved]) -> Value {
    let mut manifests = Vec::new();
    for image in images {
        let entry = |name: Option<&Reference>| {
            let mut entry = json!(image.manifest);
            if let Some(name) = name {
                entry["annotations"] = json!({
                    "io.containerd.image.name": name.canonical(),
                    "org.opencontainers.image.ref.name": name.tag().unwrap_or_default(),
                });
            }
            entry
        };
        match &image.names[..] {
            [] => manifests.push(entry(None)),
            names => manifests.extend(names.iter().map(|name| entry(Some(name)))),
        }
    }
    json!({ "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": manifests })
}

/// What `docker load` goes by.
fn manifest_json(images: &[Saved]) -> Value {
    let path = |digest: &Digest| format!("blobs/sha256/{}", digest.hex());
    let entry = |image: &Saved| {
        json!({
            "Config": path(&image.config.digest),
            // Whole names: Podman takes short ones for its own.
            "RepoTags": image.names.iter().map(Reference::canonical).collect::<Vec<_>>(),
            "Layers": image.layers.iter().map(|layer| path(&layer.digest)).collect::<Vec<_>>(),
        })
    };
    images.iter().map(entry).collect()
}

/// What Docker went by before 1.10, and still writes.
fn repositories(images: &[Saved]) -> Value {
    let mut repositories = Map::new();
    for image in images {
        let Some(top) = image.layers.last() else { continue };
        for name in &image.names {
            let tags = repositories.entry(name.name()).or_insert_with(|| json!({}));
            tags[name.tag().unwrap_or_default()] = top.digest.hex().into();
        }
    }
    Value::Object(repositories)
}
