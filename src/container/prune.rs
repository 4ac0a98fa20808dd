//! Containers that do not run: what they take, which nobody needs, and taking exactly those away.

use super::list::list;
use super::remove::Removal;
use super::{remove, row};
use crate::context::Context;
use crate::error::{ErrorKind, Result};
use crate::model::{ContainerFilter, ContainerInfo, ContainerUsage, PruneItem, PruneKind, PrunePlan, PruneSpec, Usage};
use crate::store::scopes::{self, ItemKind};
use crate::store::{Store, folder_size};

/// What all containers take.
pub fn usage(store: &Store) -> Result<Usage<ContainerUsage>> {
    let all = list(store, &ContainerFilter { all: true, ..ContainerFilter::default() })?;
    let mut usage = Usage { count: all.len(), ..Usage::default() };
    for info in all {
        let size = folder_size(&store.container_dir(&info.id));
        usage.size += size;
        if info.status.is_alive() {
            usage.active += 1;
        } else {
            usage.reclaimable += size;
        }
        usage.items.push(ContainerUsage {
            status: info.status.to_string(),
            id: info.id,
            name: info.name,
            image: info.image,
            created: info.created,
            size,
        });
    }
    Ok(usage)
}

/// Plans which containers go. Those of a scope of another script that runs are that script's to remove.
pub fn plan(store: &Store, spec: &PruneSpec) -> Result<PrunePlan> {
    let mut plan = PrunePlan::default();
    for info in list(store, &ContainerFilter { all: true, ..ContainerFilter::default() })? {
        let old_enough = spec.older_than.is_none_or(|time| info.created < time);
        if info.status.is_alive() || !old_enough || !spec.labels_match(&info.labels) {
            continue;
        }
        let bytes = folder_size(&store.container_dir(&info.id));
        let item = PruneItem {
            kind: PruneKind::Container,
            mark: mark(&info),
            created: Some(info.created),
            names: vec![info.name],
            id: info.id,
            bytes,
        };
        if let Some(pid) = store.read(|db| scopes::owned_elsewhere(db, ItemKind::Container, &item.id))? {
            plan.skipped.push(item.skip(format!("it belongs to the script of process {pid}")));
            continue;
        }
        plan.freed += bytes;
        plan.deleted.push(item.id.clone());
        plan.items.push(item);
    }
    Ok(plan)
}

/// Takes the containers of a plan away. What was started since is left alone, and told.
pub fn carry_out(store: &Store, cx: &Context, items: &[&PruneItem], done: &mut PrunePlan) -> Result<()> {
    for item in items {
        cx.check()?;
        let Some(row) = store.read(|db| row::get(db, &item.id))? else {
            done.skipped.push(item.skip("it was removed meanwhile"));
            continue;
        };
        if mark(&super::info::info(store, row.clone())?) != item.mark {
            done.skipped.push(item.skip("it was started meanwhile"));
            continue;
        }
        let bytes = folder_size(&store.container_dir(&item.id));
        match remove::remove(store, cx, row, Removal::default()) {
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

fn mark(info: &ContainerInfo) -> String {
    let time = |time: Option<jiff::Timestamp>| time.map(|time| time.to_string()).unwrap_or_default();
    format!("{} {} {}", info.status, time(info.started), time(info.finished))
}
