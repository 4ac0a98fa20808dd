//! The build cache in a registry: `cache_to` and `cache_from`.
//!
//! It is an image whose layers are those of the steps, and whose config says under one more key which step made which. So every registry
//! takes it, and its clean-up knows what belongs to it.

use super::cache::{BuiltLayer, Made};
use super::session::Session;
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::image::{self, MAX_CONFIG, place_layer};
use crate::model::{Descriptor, Digest, Platform, Reference};
use crate::registry::{Client, MAX_LAYERS};
use crate::store::Content;
use crate::store::rusqlite::OptionalExtension;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::HashMap;
use std::io::Read;

/// Where the config of such an image has the steps.
const STEPS: &str = "io.shanty.build.cache";

/// What one step made, as it is sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Record {
    key: String,
    step: String,
    /// UTC nanoseconds.
    created: i64,
    /// Its layer; `None`: it changed nothing.
    diff_id: Option<Digest>,
    blob: Option<Descriptor>,
}

/// A cache in a registry.
pub struct RemoteCache<'a> {
    client: &'a Client,
    reference: Reference,
    records: HashMap<String, Record>,
}

impl<'a> RemoteCache<'a> {
    /// Reads which steps it has. `None`, with a warning, when it is not there yet.
    pub fn open(client: &'a Client, text: &str, cx: &Context) -> Result<Option<Self>> {
        let reference: Reference = text.parse()?;
        match Self::read(client, &reference, cx) {
            Ok(records) => Ok(Some(Self { client, reference, records })),
            Err(error) if error.is(ErrorKind::Cancelled) || error.is(ErrorKind::Timeout) => Err(error),
            Err(error) => {
                cx.progress.warn(&format!("the cache `{text}` is not used: {}", error.message()));
                Ok(None)
            }
        }
    }

    fn read(client: &Client, reference: &Reference, cx: &Context) -> Result<HashMap<String, Record>> {
        let resolved = client.resolve(cx, reference, &Platform::host())?;
        if resolved.config.size > MAX_CONFIG {
            return Err(Error::corrupt(format!("its config has {} bytes", resolved.config.size)));
        }
        let mut stream = client.blob(cx, reference, &resolved.config)?;
        let mut text = Vec::new();
        stream.read_to_end(&mut text).map_err(|error| {
            crate::error::carried(&error).cloned().unwrap_or_else(|| Error::new(ErrorKind::Network, error.to_string()))
        })?;
        stream.finish()?;
        let config: serde_json::Value = serde_json::from_slice(&text)
            .map_err(|error| Error::corrupt(format!("its config cannot be read: {error}")))?;
        let Some(records) = config.get(STEPS) else {
            return Err(
                Error::invalid("it is an image, and no cache").hint("make one: `cache_to: \"host/name:cache\"`")
            );
        };
        let records: Vec<Record> = serde_json::from_value(records.clone())
            .map_err(|error| Error::corrupt(format!("its steps cannot be read: {error}")))?;
        Ok(records.into_iter().map(|record| (record.key.clone(), record)).collect())
    }

    /// What it has for a key, on top of `below`, with what the step is.
    pub fn fetch(
        &self,
        content: &Content<'_>,
        key: &str,
        below: Option<&Digest>,
        cx: &Context,
    ) -> Result<Option<(String, Made)>> {
        let Some(record) = self.records.get(key) else { return Ok(None) };
        let layer = match (&record.diff_id, &record.blob) {
            (Some(diff_id), Some(blob)) => {
                image::fetch_blob(content, self.client, &self.reference, blob, cx)?;
                let layer = place_layer(content, below, diff_id, &blob.digest, cx)?;
                Some(BuiltLayer { layer, blob: blob.clone() })
            }
            _ => None,
        };
        Ok(Some((record.step.clone(), Made { layer, created: record.created })))
    }
}

/// Sends what a build used.
///
/// # Errors
/// Those of a push.
pub fn send(session: &Session<'_>, text: &str, cx: &Context) -> Result<()> {
    let reference: Reference = text.parse()?;
    let records = records(session)?;
    let client = session.machine.client()?;
    let mut layers: Vec<(&Digest, &Descriptor)> = Vec::new();
    for record in &records {
        if let (Some(diff_id), Some(blob)) = (&record.diff_id, &record.blob)
            && !layers.iter().any(|(_, known)| known.digest == blob.digest)
        {
            layers.push((diff_id, blob));
        }
    }
    // More than an image can have would not be read again: what comes last was done last.
    let surplus = layers.len().saturating_sub(MAX_LAYERS);
    let layers = &layers[surplus..];
    let platform = Platform::host();
    let kept: Vec<&Record> = records
        .iter()
        .filter(|record| match &record.blob {
            Some(blob) => layers.iter().any(|(_, known)| known.digest == blob.digest),
            None => true,
        })
        .collect();
    let config = json!({
        "architecture": platform.architecture,
        "os": platform.os,
        "config": {},
        "rootfs": { "type": "layers", "diff_ids": layers.iter().map(|(diff_id, _)| diff_id.to_string()).collect::<Vec<_>>() },
        STEPS: kept,
    });
    let config = config.to_string().into_bytes();
    let size = config.len() as u64;
    let digest = session.content.put_blob(&config)?;
    let blobs: Vec<Descriptor> = layers.iter().map(|(_, blob)| (*blob).clone()).collect();
    let manifest = image::write_manifest(&digest, size, &blobs);
    let config = Descriptor { media_type: CONFIG_TYPE.to_owned(), digest, size };
    let all: Vec<&Descriptor> = blobs.iter().chain([&config]).collect();
    let within = |error: Error| error.context(format!("sending the cache to `{text}`"));
    image::send_blobs(session.content, client, &reference, &all, cx).map_err(within)?;
    client.push_manifest(cx, &reference, MANIFEST_TYPE, manifest).map_err(within).map(drop)
}

const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

/// Of a row: step, time, diff id, blob, its size, its type.
type Columns = (String, i64, Option<String>, Option<String>, i64, Option<String>);

fn records(session: &Session<'_>) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for key in session.cache.used() {
        if !seen.insert(key.clone()) {
            continue;
        }
        let row: Option<Columns> = session.store().read(|db| {
            let sql = "SELECT step, created, diff_id, blob, blob_size, media_type FROM build_cache WHERE key = ?1";
            let columns = |row: &crate::store::rusqlite::Row<'_>| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
            };
            Ok(db.prepare_cached(sql)?.query_row([&key], columns).optional()?)
        })?;
        let Some((step, created, diff_id, blob, blob_size, media_type)) = row else { continue };
        let blob = match (blob, media_type) {
            (Some(blob), Some(media_type)) => {
                Some(Descriptor { media_type, digest: blob.parse()?, size: blob_size as u64 })
            }
            _ => None,
        };
        let diff_id = diff_id.map(|text| text.parse()).transpose()?;
        records.push(Record { key, step, created, diff_id, blob });
    }
    Ok(records)
}
