//! What the build cache takes, and forgetting it.

use crate::error::Result;
use crate::model::{CacheUsage, PruneItem, PruneKind, PrunePlan, PruneSpec, Usage};
use crate::store::rusqlite::{OptionalExtension, params};
use crate::store::{Store, release};
use std::collections::HashSet;

struct Entry {
    usage: CacheUsage,
    /// Bytes of its layer and its blob; of steps with one layer the first counts.
    all: u64,
    /// Those of them that nothing but the cache has.
    own: u64,
}

/// Steps that are remembered, those used last first.
pub fn usage(store: &Store) -> Result<Usage<CacheUsage>> {
    let entries = entries(store)?;
    Ok(Usage {
        count: entries.len(),
        active: entries.iter().filter(|entry| entry.usage.shared).count(),
        size: entries.iter().map(|entry| entry.all).sum(),
        reclaimable: entries.iter().map(|entry| entry.own).sum(),
        items: entries.into_iter().map(|entry| entry.usage).collect(),
    })
}

/// Plans to forget all steps, or those that were used last before `older_than`.
pub fn plan(store: &Store, spec: &PruneSpec) -> Result<PrunePlan> {
    let mut plan = PrunePlan::default();
    for Entry { usage, own, .. } in entries(store)? {
        if spec.older_than.is_some_and(|time| usage.used.is_some_and(|used| used >= time)) {
            continue;
        }
        plan.freed += own;
        plan.deleted.push(usage.id.clone());
        plan.items.push(PruneItem {
            kind: PruneKind::BuildCache,
            mark: mark(usage.used),
            id: usage.id,
            names: vec![usage.step],
            created: usage.created,
            bytes: own,
        });
    }
    Ok(plan)
}

/// Forgets the steps of a plan. Those that were used since stay.
pub fn carry_out(store: &Store, items: &[&PruneItem], done: &mut PrunePlan) -> Result<()> {
    for item in items {
        let outcome = store.write_durable(|tx| {
            let sql = "SELECT used, chain_id, blob FROM build_cache WHERE key = ?1";
            let row: Option<(i64, Option<String>, Option<String>)> =
                tx.query_row(sql, [&item.id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
            let Some((used, chain, blob)) = row else { return Ok(Err("it was forgotten meanwhile")) };
            if mark(time(used)) != item.mark {
                return Ok(Err("it was used meanwhile"));
            }
            tx.execute("DELETE FROM build_cache WHERE key = ?1", params![item.id])?;
            let chains: Vec<String> = chain.into_iter().collect();
            Ok(Ok(release(tx, &chains, blob.into_iter().collect())?))
        })?;
        match outcome {
            Err(reason) => done.skipped.push(item.skip(reason)),
            Ok(released) => {
                let blobs: u64 = released.blobs.iter().map(|blob| store.blob_size(blob).unwrap_or(0)).sum();
                let layers = released.layers.iter().map(|(chain, size)| store.layer_bytes(chain, *size));
                let bytes = blobs + layers.sum::<u64>();
                done.items.push(PruneItem { bytes, ..(*item).clone() });
                done.freed += bytes;
                done.deleted.push(item.id.clone());
            }
        }
    }
    store.take_out_garbage().map(drop)
}

fn entries(store: &Store) -> Result<Vec<Entry>> {
    let mut rows = store.read(|db| {
        let mut statement = db.prepare(
            "SELECT key, step, size, created, used, uses, blob_size, chain_id, blob,
               EXISTS (SELECT 1 FROM image_layers WHERE image_layers.chain_id = build_cache.chain_id),
               EXISTS (SELECT 1 FROM image_layers WHERE image_layers.blob = build_cache.blob)
             FROM build_cache ORDER BY used DESC, key",
        )?;
        let rows = statement.query_map([], |row| {
            let usage = CacheUsage {
                id: row.get(0)?,
                step: row.get(1)?,
                size: row.get::<_, i64>(2)? as u64,
                created: time(row.get(3)?),
                used: time(row.get(4)?),
                uses: row.get::<_, i64>(5)? as u64,
                shared: row.get(9)?,
            };
            let all = row.get::<_, i64>(6)? as u64;
            let own = if row.get(10)? { 0 } else { all };
            let parts: (Option<String>, Option<String>) = (row.get(7)?, row.get(8)?);
            Ok((Entry { usage, all, own }, parts))
        })?;
        Ok(rows.collect::<std::result::Result<Vec<_>, _>>()?)
    })?;
    let (mut layers, mut blobs) = (HashSet::new(), HashSet::new());
    for (entry, (chain, blob)) in &mut rows {
        if blob.take().is_none_or(|blob| !blobs.insert(blob)) {
            (entry.all, entry.own) = (0, 0);
        }
        if let Some(chain) = chain.take().filter(|chain| layers.insert(chain.clone())) {
            let bytes = store.layer_bytes(&chain.parse()?, entry.usage.size);
            entry.all += bytes;
            entry.own += if entry.usage.shared { 0 } else { bytes };
        }
    }
    Ok(rows.into_iter().map(|(entry, _)| entry).collect())
}

fn time(nanoseconds: i64) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_nanosecond(nanoseconds.into()).ok()
}

fn mark(used: Option<jiff::Timestamp>) -> String {
    used.map(|used| used.to_string()).unwrap_or_default()
}
