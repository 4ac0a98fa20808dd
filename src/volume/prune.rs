//! Volumes that no container has: what they take, and taking exactly those away.

use super::{folder, remove, row, users};
use crate::context::Context;
use crate::error::{ErrorKind, Result};
use crate::model::{PruneItem, PruneKind, PrunePlan, PruneSpec, VolumePruneSpec};
use crate::store::scopes::{self, ItemKind};
use crate::store::{Store, folder_size};
use std::collections::BTreeSet;

/// Plans which volumes go: the anonymous ones, or `which.all` of them, that no container has but those that are `gone` by
/// then. Those of a scope of another script that runs are that script's to remove.
pub fn plan(store: &Store, spec: &PruneSpec, which: VolumePruneSpec, gone: &BTreeSet<String>) -> Result<PrunePlan> {
    let mut plan = PrunePlan::default();
    for (row, _) in store.read(row::all)? {
        let old_enough = spec.older_than.is_none_or(|time| row.created < time);
        if !(which.all || row.anonymous) || !old_enough || !spec.labels_match(&row.labels) {
            continue;
        }
        if store.read(|db| users::of(db, &row.name))?.iter().any(|user| !gone.contains(&user.id)) {
            continue;
        }
        let item = PruneItem {
            kind: PruneKind::Volume,
            bytes: folder_size(&store.volume_dir(&row.name).join(folder::DATA)),
            mark: mark(&row),
            created: Some(row.created),
            names: vec![row.name.clone()],
            id: row.name,
        };
        if let Some(pid) = store.read(|db| scopes::owned_elsewhere(db, ItemKind::Volume, &item.id))? {
            plan.skipped.push(item.skip(format!("it belongs to the script of process {pid}")));
            continue;
        }
        plan.freed += item.bytes;
        plan.deleted.push(item.id.clone());
        plan.items.push(item);
    }
    Ok(plan)
}

/// Takes the volumes of a plan away. What a container has by now is left alone, and told.
pub fn carry_out(store: &Store, cx: &Context, items: &[&PruneItem], done: &mut PrunePlan) -> Result<()> {
    for item in items {
        cx.check()?;
        let Some(row) = store.read(|db| row::get(db, &item.id))? else {
            done.skipped.push(item.skip("it was removed meanwhile"));
            continue;
        };
        if mark(&row) != item.mark {
            done.skipped.push(item.skip("it was made anew meanwhile"));
            continue;
        }
        let bytes = folder_size(&store.volume_dir(&item.id).join(folder::DATA));
        match remove::remove(store, &item.id) {
            Err(error) if error.is(ErrorKind::Conflict) => done.skipped.push(item.skip(error.message())),
            removed => {
                removed?;
                done.items.push(PruneItem { bytes, ..(*item).clone() });
                done.freed += bytes;
                done.deleted.push(item.id.clone());
            }
        }
    }
    Ok(())
}

fn mark(row: &super::Row) -> String {
    row.created.to_string()
}
