//! A manifest goes to a registry, last of all: with it the image is there.

use super::body::Body;
use super::resolve::said_digest;
use super::subject::Access;
use super::transport::{Ask, Transport};
use crate::error::{Error, Result};
use crate::model::{Digest, Reference};
use bytes::Bytes;
use reqwest::Method;
use sha2::{Digest as _, Sha256};

/// Puts it under the reference's tag or digest. Gives its digest.
pub(super) async fn manifest(
    transport: &Transport,
    reference: &Reference,
    media_type: &str,
    bytes: Bytes,
) -> Result<Digest> {
    let digest = Digest::from_sha256(&Sha256::digest(&bytes));
    let subject = transport.options.configuration.origin(reference)?.to(Access::Push);
    let version = reference.tag().map_or_else(|| digest.to_string(), str::to_owned);
    let path = format!("v2/{}/manifests/{version}", subject.repository);
    let body = Body::Document(media_type.to_owned(), bytes);
    let what = format!("`{reference}`");
    let response = transport.ask(&Ask { method: Method::PUT, body, ..Ask::get(&subject, path, what) }).await?;
    match said_digest(response.headers()).filter(|said| *said != digest) {
        None => Ok(digest),
        Some(said) => {
            let text = format!("registry `{}` keeps the manifest as `{said}`, not as `{digest}`", subject.registry);
            Err(Error::corrupt(text).hint("the registry or something on the way changed it"))
        }
    }
}
