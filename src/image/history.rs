//! How an image came to be, step by step: `docker history`.

use super::config::read_config;
use super::info;
use crate::error::Result;
use crate::model::{Digest, HistoryEntry};
use crate::store::Store;

/// What stands for the id of a step that is no image here.
const MISSING: &str = "<missing>";

/// Its steps, the newest first. The first one is the image; those below it are its parents, as long as they are here.
pub fn history(store: &Store, id: &Digest) -> Result<Vec<HistoryEntry>> {
    let config = read_config(store, id)?;
    let mut sizes = layer_sizes(store, id)?.into_iter();
    let steps = config.history().as_deref().unwrap_or_default();
    let mut entries: Vec<HistoryEntry> = steps
        .iter()
        .map(|step| {
            let empty_layer = step.empty_layer().unwrap_or(false);
            HistoryEntry {
                id: MISSING.to_owned(),
                created: step.created().as_ref().and_then(|text| text.parse().ok()),
                created_by: step.created_by().clone().unwrap_or_default(),
                size: if empty_layer { 0 } else { sizes.next().unwrap_or(0) },
                comment: step.comment().clone().unwrap_or_default(),
                author: step.author().clone().unwrap_or_default(),
                tags: Vec::new(),
                empty_layer,
            }
        })
        .collect();
    entries.reverse();
    let (mut next, mut at) = (Some(id.clone()), 0);
    while let Some(id) = next.take() {
        let Some(entry) = entries.get_mut(at) else { break };
        let Some(row) = store.read(|db| info::row(db, &id))? else { break };
        entry.id = id.to_string();
        entry.tags = row.tags;
        let parent: Option<Digest> = row.parent.as_deref().and_then(|parent| parent.parse().ok());
        // An image may be several steps on its parent, whose own steps are the oldest ones.
        let below = parent.as_ref().and_then(|parent| read_config(store, parent).ok());
        let steps = below.and_then(|config| config.history().as_ref().map(Vec::len));
        let Some(below) = steps.and_then(|steps| entries.len().checked_sub(steps)) else { break };
        at = below.max(at + 1);
        next = parent;
    }
    Ok(entries)
}

/// Bytes of its layers, unpacked, the bottom one first.
fn layer_sizes(store: &Store, id: &Digest) -> Result<Vec<u64>> {
    store.read(|db| {
        let mut statement = db.prepare_cached(
            "SELECT size FROM image_layers JOIN layers USING (chain_id) WHERE image = ?1 ORDER BY position",
        )?;
        let sizes = statement.query_map([id.to_string()], |row| Ok(row.get::<_, i64>(0)? as u64))?;
        Ok(sizes.collect::<std::result::Result<_, _>>()?)
    })
}
