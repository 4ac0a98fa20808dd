//! The build cache as a whole: steps that are remembered, and cache mounts.

use super::{cache_mounts, cache_prune};
use crate::error::Result;
use crate::model::{CacheUsage, PruneItem, PrunePlan, PruneSpec, Usage};
use crate::store::Store;

/// What it takes, what was used last first.
pub fn usage(store: &Store) -> Result<Usage<CacheUsage>> {
    let (mut usage, mounts) = (cache_prune::usage(store)?, cache_mounts::usage(store)?);
    usage.count += mounts.count;
    usage.active += mounts.active;
    usage.size += mounts.size;
    usage.reclaimable += mounts.reclaimable;
    usage.items.extend(mounts.items);
    usage.items.sort_by_key(|item| std::cmp::Reverse(item.used));
    Ok(usage)
}

/// Plans to empty it, or, with `build_cache_keep`, to remove what was not used for the longest time until the rest takes no
/// more than that.
pub fn plan(store: &Store, spec: &PruneSpec) -> Result<PrunePlan> {
    let mut plan = cache_prune::plan(store, spec)?;
    plan.add(cache_mounts::plan(store, spec)?);
    let Some(keep) = spec.build_cache_keep else { return Ok(plan) };
    let rest = cache_prune::usage(store)?.reclaimable + cache_mounts::usage(store)?.size;
    Ok(down_to(plan, rest, keep))
}

/// Carries a plan out.
pub fn carry_out(store: &Store, items: &[&PruneItem], done: &mut PrunePlan) -> Result<()> {
    let (mounts, steps): (Vec<_>, Vec<_>) = items.iter().partition(|item| cache_mounts::is_one(item));
    cache_prune::carry_out(store, &steps, done)?;
    cache_mounts::carry_out(store, &mounts, done)
}

/// The part of a plan after which `keep` bytes of `rest` are left, at most.
fn down_to(plan: PrunePlan, mut rest: u64, keep: u64) -> PrunePlan {
    let mut items = plan.items;
    // Their mark is when they were used last.
    items.sort_by_key(|item| item.mark.parse::<jiff::Timestamp>().ok());
    // What frees nothing is no reason to do it again.
    items.retain(|item| {
        let goes = rest > keep && item.bytes > 0;
        rest -= if goes { item.bytes.min(rest) } else { 0 };
        goes
    });
    PrunePlan {
        freed: items.iter().map(|item| item.bytes).sum(),
        deleted: items.iter().map(|item| item.id.clone()).collect(),
        items,
        ..plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::PruneKind;

    #[test]
    fn what_was_not_used_for_the_longest_time_goes_first() {
        let item = |id: &str, bytes, mark: &str| PruneItem {
            kind: PruneKind::BuildCache,
            id: id.into(),
            names: vec![],
            created: None,
            bytes,
            mark: mark.into(),
        };
        let all = [
            item("new", 10, "2026-03-01T00:00:00.5Z"),
            item("old", 10, "2026-01-01T00:00:00Z"),
            item("free", 0, "2025-01-01T00:00:00Z"),
            item("never", 5, ""),
            item("middle", 10, "2026-02-01T00:00:00Z"),
        ];
        for (keep, gone) in
            [(0, "never old middle new"), (10, "never old middle"), (25, "never old"), (30, "never"), (35, "")]
        {
            let plan = down_to(PrunePlan { items: all.to_vec(), ..PrunePlan::default() }, 35, keep);
            let ids: Vec<_> = plan.items.iter().map(|item| item.id.as_str()).collect();
            assert_eq!(ids.join(" "), gone, "{keep}");
            assert_eq!(plan.deleted, ids);
        }
    }
}
