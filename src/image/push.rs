//! From the store to a registry: blobs in parallel, the manifest last, byte for byte as it is here.

use super::config::MAX_CONFIG;
use super::info::info;
use super::lookup;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::events::{self, Occurrence};
use crate::model::{Descriptor, Digest, Reference};
use crate::registry::{Client, Upload, parts};
use crate::store::rusqlite::{OptionalExtension, params};
use crate::store::{Content, Store};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Blobs sent at once, as Docker does.
const PARALLEL: usize = 5;
/// As large as a manifest that is pulled may be.
const MAX_MANIFEST: u64 = 4 << 20;

/// Sends the image that `text` means to where `to` says, else to the registry that its name says. Gives the
/// digest under which it is there, and remembers it.
///
/// # Errors
/// `not_found` when the image is not here, `invalid` when there is no name to push to, and those of
/// [`Client::push_blob`].
pub fn push(store: &Store, client: &Client, text: &str, to: Option<&str>, cx: &Context) -> Result<Digest> {
    let target = target(store, text, to)?;
    let digest =
        push_parts(store, client, text, &target, cx).map_err(|error| error.context(format!("pushing `{target}`")))?;
    events::record(store.root(), &[Occurrence::image("push", &target.to_string(), &target.familiar_name())]);
    Ok(digest)
}

fn target(store: &Store, text: &str, to: Option<&str>) -> Result<Reference> {
    let written = to.unwrap_or(text);
    let hint = "say where to: `push(#{ to: \"host/name:tag\" })`";
    let target: Reference = match written.parse() {
        Ok(target) => target,
        Err(error) if to.is_some() => return Err(error),
        Err(_) => return Err(Error::invalid(format!("`{text}` is not a name that can be pushed to")).hint(hint)),
    };
    if target.digest().is_some() || written.contains('@') {
        return Err(Error::invalid(format!("`{written}` has a digest, which a push cannot choose")).hint(hint));
    }
    if to.is_none() {
        let id = lookup::require(store, text)?;
        // An id, or the start of one, can be read as a name too.
        if !info(store, &id)?.tags.contains(&target.to_string()) {
            return Err(Error::invalid(format!("`{text}` is the id of an image, and no name to push to")).hint(hint));
        }
    }
    Ok(target)
}

fn push_parts(store: &Store, client: &Client, text: &str, target: &Reference, cx: &Context) -> Result<Digest> {
    // Nothing of it is swept while it is sent.
    let content = store.content(&cx.cancel)?;
    let id = lookup::require(store, text)?;
    let manifest: String = store.read(|db| {
        let mut statement = db.prepare_cached("SELECT manifest FROM images WHERE id = ?1")?;
        Ok(statement.query_row([id.to_string()], |row| row.get(0)).optional()?.unwrap_or_default())
    })?;
    let bytes = store.read_blob(&manifest.parse()?, MAX_MANIFEST)?;
    let parts = parts(&bytes)?;
    if parts.config.size > MAX_CONFIG {
        return Err(Error::corrupt(format!("the image's config has {} bytes", parts.config.size)));
    }
    let mut blobs: Vec<&Descriptor> = Vec::new();
    for blob in parts.layers.iter().chain([&parts.config]) {
        // An image may hold the same layer twice.
        if !blobs.iter().any(|other| other.digest == blob.digest) {
            blobs.push(blob);
        }
    }
    let push = Push { content: &content, client, target };
    push.blobs(&blobs, cx)?;
    let digest = client.push_manifest(cx, target, &parts.media_type, bytes)?;
    store.write_durable(|tx| {
        // Only where the image has a name: else the digest would keep it when its last name is removed. And it may have
        // been removed meanwhile.
        tx.execute(
            "INSERT OR IGNORE INTO image_digests (repository, digest, image) SELECT ?1, ?2, ?3 WHERE EXISTS \
             (SELECT 1 FROM image_names WHERE image = ?3 AND substr(name, 1, length(?1) + 1) = ?1 || ':')",
            params![target.name(), digest.to_string(), id.to_string()],
        )?;
        Ok(())
    })?;
    Ok(digest)
}

/// Sends blobs of the store to the reference's repository, each once.
pub fn send_blobs(
    content: &Content<'_>,
    client: &Client,
    target: &Reference,
    blobs: &[&Descriptor],
    cx: &Context,
) -> Result<()> {
    Push { content, client, target }.blobs(blobs, cx)
}

struct Push<'a> {
    content: &'a Content<'a>,
    client: &'a Client,
    target: &'a Reference,
}

impl Push<'_> {
    /// All of them, several at once. The first failure stops the others.
    fn blobs(&self, blobs: &[&Descriptor], cx: &Context) -> Result<()> {
        let cx = Context { cancel: cx.cancel.child(), ..cx.clone() };
        let next = AtomicUsize::new(0);
        let work = || -> Result<()> {
            while let Some(blob) = blobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                if let Err(error) = self.blob(blob, &cx) {
                    cx.cancel.cancel();
                    return Err(error);
                }
            }
            Ok(())
        };
        let results = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..PARALLEL.min(blobs.len())).map(|_| scope.spawn(work)).collect();
            let join = |worker: std::thread::ScopedJoinHandle<'_, _>| {
                worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            workers.into_iter().map(join).collect::<Vec<Result<()>>>()
        });
        let (cancelled, failed): (Vec<_>, Vec<_>) =
            results.into_iter().filter_map(Result::err).partition(|error| error.is(ErrorKind::Cancelled));
        // Those that were stopped because another one failed say nothing of interest.
        failed.into_iter().chain(cancelled).next().map_or(Ok(()), Err)
    }

    fn blob(&self, blob: &Descriptor, cx: &Context) -> Result<()> {
        let store = self.content.store();
        let size = store.blob_size(&blob.digest)?;
        if size != blob.size {
            return Err(Error::corrupt(format!(
                "blob `{}` has {size} bytes, but its manifest says {}",
                blob.digest, blob.size
            )));
        }
        let file = Arc::new(store.open_blob(&blob.digest)?);
        let upload = Upload { blob: blob.clone(), file, from: self.neighbours(&blob.digest)? };
        self.client.push_blob(cx, self.target, &upload)?;
        Ok(())
    }

    /// Repositories of the target's registry that images with this blob came from or went to.
    fn neighbours(&self, blob: &Digest) -> Result<Vec<String>> {
        let prefix = format!("{}/", self.target.registry());
        let names: Vec<String> = self.content.store().read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT DISTINCT repository FROM image_digests WHERE image IN \
                 (SELECT image FROM image_layers WHERE blob = ?1)",
            )?;
            Ok(statement.query_map([blob.to_string()], |row| row.get(0))?.collect::<std::result::Result<_, _>>()?)
        })?;
        let other = |name: &String| {
            let repository = name.strip_prefix(&prefix)?;
            (repository != self.target.repository()).then(|| repository.to_owned())
        };
        Ok(names.iter().filter_map(other).collect())
    }
}
