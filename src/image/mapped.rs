//! Copies of layers for other ids: what they take, which no container has, and taking exactly those away.

use crate::context::Context;
use crate::error::Result;
use crate::model::{PruneItem, PruneKind, PrunePlan, PruneSpec};
use crate::store::Store;
use std::collections::{BTreeMap, BTreeSet};

/// Bytes of all copies, and of those that no container has.
pub(super) fn usage(store: &Store) -> Result<(u64, u64)> {
    let all = store.mapped_layers()?;
    let unused = all.iter().filter(|copy| copy.containers.is_empty());
    Ok((all.iter().map(|copy| copy.bytes).sum(), unused.map(|copy| copy.bytes).sum()))
}

/// Plans which copies go when these containers are gone: they are made again when they are needed.
pub fn plan(store: &Store, spec: &PruneSpec, gone: &BTreeSet<String>) -> Result<PrunePlan> {
    let mut plan = PrunePlan::default();
    if !spec.labels_match(&BTreeMap::new()) {
        return Ok(plan);
    }
    for copy in store.mapped_layers()? {
        let is_young = spec.older_than.is_some_and(|time| copy.created.is_none_or(|created| created >= time));
        if is_young || copy.containers.iter().any(|id| !gone.contains(id)) {
            continue;
        }
        plan.freed += copy.bytes;
        plan.deleted.push(copy.name());
        plan.items.push(PruneItem {
            kind: PruneKind::MappedLayer,
            id: copy.name(),
            names: Vec::new(),
            created: copy.created,
            bytes: copy.bytes,
            mark: String::new(),
        });
    }
    Ok(plan)
}

/// Takes the copies of a plan away. What a container has by now is left alone, and told.
pub fn carry_out(store: &Store, cx: &Context, items: &[&PruneItem], done: &mut PrunePlan) -> Result<()> {
    let all = store.mapped_layers()?;
    for item in items {
        cx.check()?;
        match all.iter().find(|copy| copy.name() == item.id) {
            None => done.skipped.push(item.skip("it was removed meanwhile")),
            Some(copy) if store.discard_mapped(copy)? => {
                done.freed += copy.bytes;
                done.deleted.push(item.id.clone());
                done.items.push(PruneItem { bytes: copy.bytes, ..(*item).clone() });
            }
            Some(_) => done.skipped.push(item.skip("a container has it, or somebody pulls or builds now")),
        }
    }
    store.empty_trash();
    Ok(())
}
