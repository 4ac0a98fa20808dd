//! Networks that nobody needs, and taking exactly those away.

use super::rows::{self, Network};
use super::{DEFAULT, remove};
use crate::context::Context;
use crate::error::{ErrorKind, Result};
use crate::model::{PruneItem, PruneKind, PrunePlan, PruneSpec};
use crate::store::Store;
use crate::store::scopes::{self, ItemKind};
use std::collections::BTreeSet;

/// Plans which networks go: those of no container, running or not, but for those `leaving`, which go before. Those of a scope of another script that runs are that
/// script's to remove.
pub fn plan(store: &Store, spec: &PruneSpec, leaving: &BTreeSet<String>) -> Result<PrunePlan> {
    let mut plan = PrunePlan::default();
    for network in store.read(rows::all)? {
        let old_enough = spec.older_than.is_none_or(|time| network.created < time);
        if network.name == DEFAULT || !old_enough || !spec.labels_match(&network.labels) {
            continue;
        }
        let users = store.read(|db| rows::users(db, &network.name))?;
        if users.iter().any(|user| !leaving.contains(user)) {
            continue;
        }
        let item = item(&network);
        if let Some(pid) = store.read(|db| scopes::owned_elsewhere(db, ItemKind::Network, &item.id))? {
            plan.skipped.push(item.skip(format!("it belongs to the script of process {pid}")));
            continue;
        }
        plan.deleted.push(item.id.clone());
        plan.items.push(item);
    }
    Ok(plan)
}

/// Takes the networks of a plan away. What is used since then is left alone, and told.
pub fn carry_out(store: &Store, cx: &Context, items: &[&PruneItem], done: &mut PrunePlan) -> Result<()> {
    for item in items {
        cx.check()?;
        let Some(network) = store.read(|db| rows::get(db, &item.id))? else {
            done.skipped.push(item.skip("it was removed meanwhile"));
            continue;
        };
        match remove::remove(store, &network) {
            Err(error) if error.is(ErrorKind::Conflict) => done.skipped.push(item.skip(error.message())),
            removed => {
                removed?;
                done.items.push((*item).clone());
                done.deleted.push(item.id.clone());
            }
        }
    }
    Ok(())
}

fn item(network: &Network) -> PruneItem {
    PruneItem {
        kind: PruneKind::Network,
        id: network.id.clone(),
        names: vec![network.name.clone()],
        created: Some(network.created),
        bytes: 0,
        mark: network.id.clone(),
    }
}
