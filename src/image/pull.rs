//! From a registry into the store: layers in parallel, each verified and unpacked while it arrives.

use super::commit::{CommittedLayer, NewImage, commit};
use super::config::{MAX_CONFIG, parse_config};
use super::layer::make_layer;
use crate::context::Context;
use crate::error::{Error, ErrorKind, IoContext, Result, carried};
use crate::events::{self, Occurrence};
use crate::model::{Descriptor, Digest, Platform, Reference};
use crate::registry::{BlobStream, Client, Received};
use crate::store::{BlobDownload, BlobWriter, Content, Layer, LayerDraft, LayerSlot, Store, chain_id};
use std::collections::BTreeSet;
use std::io::{self, Read};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Layers fetched at once, as Docker does.
const PARALLEL: usize = 3;

/// Fetches what the reference means for the platform, whether or not it is here; what is here
/// already is not fetched again. Gives the image's id.
///
/// # Errors
/// Those of [`Client::resolve`] and of its blobs; `corrupt` when a layer is not what the image says.
/// Then the names mean what they did before, and what was fetched is kept for the next try.
pub fn pull(
    store: &Store,
    client: &Client,
    reference: &Reference,
    platform: &Platform,
    cx: &Context,
) -> Result<Digest> {
    let id = pull_parts(store, client, reference, platform, cx)
        .map_err(|error| store.explain_full_disk(error, 0).context(format!("pulling `{reference}`")))?;
    let text = reference.to_string();
    let repository = text.split('@').next().unwrap_or(&text);
    let slash = repository.rfind('/').map_or(0, |slash| slash + 1);
    let name = repository[slash..].find(':').map_or(repository, |colon| &repository[..slash + colon]);
    events::record(store.root(), &[Occurrence::image("pull", &text, name)]);
    Ok(id)
}

fn pull_parts(
    store: &Store,
    client: &Client,
    reference: &Reference,
    platform: &Platform,
    cx: &Context,
) -> Result<Digest> {
    let resolved = client.resolve(cx, reference, platform)?;
    let content = store.content(&cx.cancel)?;
    let pull = Pull { content: &content, client, reference };
    if resolved.config.size > MAX_CONFIG {
        return Err(Error::corrupt(format!("the image's config has {} bytes", resolved.config.size)));
    }
    pull.blob(&resolved.config, cx)?;
    let config = parse_config(&store.read_blob(&resolved.config.digest, MAX_CONFIG)?)?;
    let plan = plan(config.rootfs().diff_ids(), &resolved.layers)?;
    let layers = pull.layers(&plan, cx).map_err(|error| store.explain_full_disk(error, missing(store, &plan)))?;
    let manifest = content.put_blob(&resolved.manifest.bytes)?;
    let names: Vec<_> = if reference.digest().is_none() { vec![reference.clone()] } else { Vec::new() };
    commit(
        &content,
        &NewImage {
            manifest,
            config: resolved.config.digest.clone(),
            layers: &layers,
            names: &names,
            digests: &[(reference.name(), resolved.digest().clone())],
        },
    )
}

/// Fetches a blob of the reference's repository, unless it is here.
pub fn fetch_blob(
    content: &Content<'_>,
    client: &Client,
    reference: &Reference,
    blob: &Descriptor,
    cx: &Context,
) -> Result<()> {
    Pull { content, client, reference }.blob(blob, cx)
}

/// A layer to be had.
struct PlannedLayer<'a> {
    chain_id: Digest,
    diff_id: Digest,
    blob: &'a Descriptor,
}

fn plan<'a>(diff_ids: &[String], blobs: &'a [Descriptor]) -> Result<Vec<PlannedLayer<'a>>> {
    if diff_ids.len() != blobs.len() {
        return Err(Error::corrupt(format!(
            "the image's manifest has {} layers, its config {}",
            blobs.len(),
            diff_ids.len()
        )));
    }
    let mut plan: Vec<PlannedLayer<'_>> = Vec::with_capacity(blobs.len());
    for (diff_id, blob) in diff_ids.iter().zip(blobs) {
        let diff_id: Digest = diff_id.parse()?;
        let chain_id = chain_id(plan.last().map(|below| &below.chain_id), &diff_id);
        plan.push(PlannedLayer { chain_id, diff_id, blob });
    }
    Ok(plan)
}

/// Bytes that the store lacks: those of blobs, and at least as many of the layers that are made of them.
fn missing(store: &Store, plan: &[PlannedLayer<'_>]) -> u64 {
    let mut seen = BTreeSet::new();
    let mut bytes = 0;
    for PlannedLayer { chain_id, blob, .. } in plan {
        if seen.insert(&blob.digest) {
            bytes += store.missing_bytes(&blob.digest, blob.size);
        }
        if !store.layer_home(chain_id).exists() {
            bytes += blob.size;
        }
    }
    bytes
}

struct Pull<'a> {
    content: &'a Content<'a>,
    client: &'a Client,
    reference: &'a Reference,
}

impl Pull<'_> {
    /// All layers, several at once. The first failure stops the others.
    fn layers(&self, plan: &[PlannedLayer<'_>], cx: &Context) -> Result<Vec<CommittedLayer>> {
        let cx = Context { cancel: cx.cancel.child(), ..cx.clone() };
        let next = AtomicUsize::new(0);
        let work = || -> Vec<(usize, Result<Layer>)> {
            let mut done = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(layer) = plan.get(index) else { return done };
                let result = self.layer(layer, &cx);
                let failed = result.is_err();
                done.push((index, result));
                if failed {
                    cx.cancel.cancel();
                    return done;
                }
            }
        };
        let mut results = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..PARALLEL.min(plan.len())).map(|_| scope.spawn(work)).collect();
            let join = |worker: std::thread::ScopedJoinHandle<'_, _>| {
                worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            workers.into_iter().flat_map(join).collect::<Vec<_>>()
        });
        results.sort_by_key(|(index, _)| *index);
        // Those that were stopped because another one failed say nothing of interest.
        if let Some(at) =
            results.iter().position(|(_, result)| result.as_ref().is_err_and(|error| !error.is(ErrorKind::Cancelled)))
        {
            results.swap(0, at);
        }
        let mut layers = Vec::with_capacity(plan.len());
        for (index, result) in results {
            layers.push(CommittedLayer { layer: result?, blob: plan[index].blob.digest.clone() });
        }
        Ok(layers)
    }

    fn layer(&self, wanted: &PlannedLayer<'_>, cx: &Context) -> Result<Layer> {
        let doing = |error: Error| error.context(format!("layer `{}`", wanted.blob.digest.short()));
        match self.content.layer(&wanted.chain_id, &cx.cancel)? {
            LayerSlot::Present(layer) => {
                // Pushing and saving need it as the manifest has it.
                self.blob(wanted.blob, cx).map_err(doing)?;
                Ok(layer)
            }
            LayerSlot::Needed(draft) => self.unpack(wanted, draft, cx).map_err(doing),
        }
    }

    /// Unpacks a blob: from the store, or while it arrives.
    fn unpack(&self, wanted: &PlannedLayer<'_>, draft: LayerDraft, cx: &Context) -> Result<Layer> {
        let blob = wanted.blob;
        match self.content.download_blob(&blob.digest, blob.size, &cx.cancel)? {
            BlobDownload::Present => {
                make_layer(self.content, draft, self.content.store().open_blob(&blob.digest)?, &wanted.diff_id, cx)
            }
            BlobDownload::Needed(writer) => {
                let mut arriving = self.start(*writer, blob, cx)?;
                let unpacked = make_layer(self.content, draft, &mut arriving, &wanted.diff_id, cx);
                // A wrong blob is the cause of what the archive seems to lack.
                if unpacked.as_ref().err().is_none_or(|error| error.is(ErrorKind::Corrupt)) {
                    arriving.finish()?;
                }
                unpacked
            }
        }
    }

    /// Fetches a blob unless it is here.
    fn blob(&self, blob: &Descriptor, cx: &Context) -> Result<()> {
        match self.content.download_blob(&blob.digest, blob.size, &cx.cancel)? {
            BlobDownload::Present => Ok(()),
            BlobDownload::Needed(writer) => self.start(*writer, blob, cx)?.finish(),
        }
    }

    fn start(&self, writer: BlobWriter, blob: &Descriptor, cx: &Context) -> Result<Arriving<impl Read + use<>>> {
        let received = Received::read(writer.partial()?)?;
        let stream = self.client.blob_after(cx, self.reference, blob, received)?;
        Ok(Arriving { partial: writer.partial()?, stream, writer })
    }
}

/// A blob on its way: what was here already, then what the registry sends, written down as it is read.
struct Arriving<P> {
    partial: P,
    stream: BlobStream,
    writer: BlobWriter,
}

impl<P: Read> Arriving<P> {
    /// Reads the rest, verifies all of it, and makes it last.
    fn finish(mut self) -> Result<()> {
        io::copy(&mut self, &mut io::sink()).doing(|| "cannot fetch a blob")?;
        self.writer.commit()
    }
}

impl<P: Read> Read for Arriving<P> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.partial.read(buffer)?;
        if count > 0 {
            return Ok(count);
        }
        let count = match self.stream.read(buffer) {
            Ok(count) => count,
            Err(error) => {
                // Going on from wrong bytes would keep them wrong, pull after pull.
                if carried(&error).is_some_and(|error| error.is(ErrorKind::Corrupt)) {
                    self.writer.restart().map_err(io::Error::other)?;
                }
                return Err(error);
            }
        };
        self.writer.write(&buffer[..count]).map_err(io::Error::other)?;
        Ok(count)
    }
}
