//! From a reference to a manifest: fetched, verified, and chosen for a platform.

use super::index::Index;
use super::manifest::{self, Kind, Manifest};
use super::subject::Subject;
use super::tags;
use super::transport::{Ask, Transport};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Descriptor, Digest, Platform, Reference};
use bytes::Bytes;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use reqwest::header::HeaderMap;
use sha2::{Digest as _, Sha256};

/// The distribution specification's advice for what a registry should accept.
const MAX_MANIFEST: usize = 4 << 20;
/// The registry's own idea of the digest, which is checked against the bytes.
const CONTENT_DIGEST: &str = "docker-content-digest";

/// A manifest or index, exactly as the registry keeps it.
#[derive(Clone, Debug)]
pub struct Document {
    /// Digest of `bytes`.
    pub digest: Digest,
    /// Such as `application/vnd.oci.image.manifest.v1+json`.
    pub media_type: String,
    /// JSON, at most 4 MiB.
    pub bytes: Bytes,
}

/// What a reference stands for, on one platform.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The image's manifest.
    pub manifest: Document,
    /// The index that the manifest was chosen from, if the reference led to one.
    pub index: Option<Document>,
    /// The image's config; to be fetched with [`super::Client::blob`].
    pub config: Descriptor,
    /// Its layers, bottom first; at most 500, all of types that can be unpacked.
    pub layers: Vec<Descriptor>,
}

impl Resolved {
    /// What the reference leads to: under `name@digest` the same can be pulled again.
    pub fn digest(&self) -> &Digest {
        self.index.as_ref().map_or(&self.manifest.digest, |index| &index.digest)
    }
}

pub(super) async fn resolve(transport: &Transport, reference: &Reference, platform: &Platform) -> Result<Resolved> {
    transport.each(reference, async |subject: &Subject| resolve_at(transport, subject, reference, platform).await).await
}

async fn resolve_at(
    transport: &Transport,
    subject: &Subject,
    reference: &Reference,
    platform: &Platform,
) -> Result<Resolved> {
    let (first, kind) = fetch(transport, subject, reference).await?;
    let (manifest, index) = match kind {
        Kind::Manifest => (first, None),
        Kind::Index => {
            let index = Index::parse(&first.bytes)?;
            let entry = index.choose(platform)?;
            let (chosen, kind) = fetch(transport, subject, &reference.at(entry.digest.clone())).await?;
            if kind == Kind::Index || chosen.bytes.len() as u64 != entry.size {
                return Err(Error::corrupt(format!("`{}` is not the manifest that the index names", entry.digest)));
            }
            (chosen, Some(first))
        }
    };
    let Manifest { config, layers } = Manifest::parse(&manifest.bytes)?;
    Ok(Resolved { manifest, index, config, layers })
}

/// What the registry has under the reference now, without fetching it where it says so.
pub(super) async fn digest(transport: &Transport, reference: &Reference) -> Result<Digest> {
    transport.each(reference, async |subject: &Subject| digest_at(transport, subject, reference).await).await
}

async fn digest_at(transport: &Transport, subject: &Subject, reference: &Reference) -> Result<Digest> {
    let mut ask = ask(subject, reference);
    ask.method = Method::HEAD;
    let response = match transport.ask(&ask).await {
        Ok(response) => response,
        // The answer to HEAD has no body to say what is missing.
        Err(error) if error.is(ErrorKind::NotFound) => return Err(explain(transport, subject, reference, error).await),
        Err(error) => return Err(error),
    };
    match said_digest(response.headers()) {
        Some(digest) => Ok(digest),
        None => Ok(fetch(transport, subject, reference).await?.0.digest),
    }
}

async fn fetch(transport: &Transport, subject: &Subject, reference: &Reference) -> Result<(Document, Kind)> {
    let (response, bytes) = match transport.ask_document(&ask(subject, reference), MAX_MANIFEST).await {
        Ok(got) => got,
        Err(error) if error.is(ErrorKind::NotFound) => return Err(explain(transport, subject, reference, error).await),
        Err(error) => return Err(error),
    };
    let digest = Digest::from_sha256(&Sha256::digest(&bytes));
    let expected = reference.digest().cloned().or_else(|| said_digest(response.headers()));
    if let Some(expected) = expected.filter(|expected| *expected != digest) {
        return Err(Error::corrupt(format!("the manifest should have digest `{expected}`, but has `{digest}`"))
            .hint("the registry or something on the way changed it"));
    }
    let header = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let (kind, media_type) = manifest::kind(header, &bytes)?;
    Ok((Document { digest, media_type, bytes }, kind))
}

fn ask(subject: &Subject, reference: &Reference) -> Ask {
    let name = reference.familiar_name();
    let (what, version) = if let Some(digest) = reference.digest() {
        (format!("manifest `{digest}` of `{name}`"), digest.to_string())
    } else {
        let tag = reference.tag().unwrap_or_default();
        (format!("tag `{tag}` of `{name}`"), tag.to_owned())
    };
    let path = format!("v2/{}/manifests/{version}", subject.repository);
    Ask { accept: Some(manifest::ACCEPT), ..Ask::get(subject, path, what) }
}

pub(super) fn said_digest(headers: &HeaderMap) -> Option<Digest> {
    headers.get(CONTENT_DIGEST)?.to_str().ok()?.parse().ok()
}

/// Registries answer the same to an unknown tag and to an unknown repository; the list of tags tells
/// them apart, and what might have been meant.
async fn explain(transport: &Transport, subject: &Subject, reference: &Reference, error: Error) -> Error {
    let Some(wanted) = reference.tag() else { return error };
    let tags = match tags::first_page(transport, subject, reference).await {
        Ok(tags) => tags,
        Err(about_tags) if about_tags.is(ErrorKind::NotFound) => return no_repository(reference),
        // Listing tags may need rights that pulling does not.
        Err(_) => return error,
    };
    let near = tags.iter().map(|tag| (strsim::jaro_winkler(tag, wanted), tag));
    match near.max_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((likeness, tag)) if likeness > 0.7 => {
            error.hint(format!("did you mean `{}:{tag}`?", reference.familiar_name()))
        }
        Some(_) => {
            let some: Vec<&str> = tags.iter().take(10).map(String::as_str).collect();
            let more = if tags.len() > some.len() { ", …" } else { "" };
            error.hint(format!("it has the tags {}{more}", some.join(", ")))
        }
        None => error.hint("the repository has no tags"),
    }
}

fn no_repository(reference: &Reference) -> Error {
    let registry = reference.registry();
    Error::not_found(format!("registry `{registry}` has no repository `{}`", reference.repository()))
        .hint("check the name")
}
