//! What steps made before: the same inputs on the same layers give the same layer.

use crate::error::Result;
use crate::model::{Descriptor, Digest};
use crate::store::rusqlite::{OptionalExtension, params};
use crate::store::{Content, Layer, LayerSlot, Store};
use sha2::{Digest as _, Sha256};

/// A layer and its blob.
#[derive(Clone, Debug)]
pub struct BuiltLayer {
    pub layer: Layer,
    pub blob: Descriptor,
}

/// The key of a step: what it is, its inputs, and what is below.
pub fn key(below: Option<&Digest>, step: &str, inputs: &[u8]) -> String {
    let mut hasher = Sha256::new();
    hasher.update(below.map(ToString::to_string).unwrap_or_default());
    hasher.update([0]);
    hasher.update(step);
    hasher.update([0]);
    hasher.update(inputs);
    hex::encode(hasher.finalize())
}

/// What the step made before, when all of it is still here.
pub fn look_up(content: &Content<'_>, key: &str, cx: &crate::context::Context) -> Result<Option<BuiltLayer>> {
    let store = content.store();
    let row: Option<(String, String, i64)> = store.read(|db| {
        let mut statement = db.prepare_cached("SELECT chain_id, blob, blob_size FROM build_cache WHERE key = ?1")?;
        Ok(statement.query_row([key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?)
    })?;
    let Some((chain_id, blob, size)) = row else { return Ok(None) };
    let digest: Digest = blob.parse()?;
    if !store.has_blob(&digest) {
        return Ok(None);
    }
    Ok(match content.layer(&chain_id.parse()?, &cx.cancel)? {
        LayerSlot::Present(layer) => {
            let sql = "UPDATE build_cache SET used = ?2, uses = uses + 1 WHERE key = ?1";
            store.write(|tx| Ok(tx.execute(sql, params![key, now()]).map(drop)?))?;
            Some(BuiltLayer {
                layer,
                blob: Descriptor { media_type: super::layer::MEDIA_TYPE.into(), digest, size: size as u64 },
            })
        }
        LayerSlot::Needed(_) => None,
    })
}

fn now() -> i64 {
    jiff::Timestamp::now().as_nanosecond() as i64
}

/// Keeps what steps made, with what they are, once the layers have their rows.
pub fn remember(store: &Store, made: &[(String, String, BuiltLayer)]) -> Result<()> {
    if made.is_empty() {
        return Ok(());
    }
    store.write(|tx| {
        let now = now();
        for (key, step, built) in made {
            tx.execute(
                "INSERT OR REPLACE INTO build_cache (key, chain_id, blob, blob_size, step, created, used) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
                params![
                    key,
                    built.layer.chain_id.to_string(),
                    built.blob.digest.to_string(),
                    built.blob.size as i64,
                    step,
                    now,
                ],
            )?;
        }
        Ok(())
    })
}
