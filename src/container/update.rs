//! Changes the limits and the restart policy of a container, also while it runs.

use super::row::{self, Row};
use super::{events, lock, lookup, monitor, resources, state};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::model::{ContainerSpec, ContainerUpdate, RestartPolicy};
use crate::runtime::bundle;
use crate::runtime::cgroup::{Group, Hierarchies, container_path};
use crate::runtime::spec;
use crate::store::Store;

/// Changes what is given: in the control groups at once, and in the row and the bundle for the next start.
///
/// # Errors
/// `invalid` when the limits do not fit together, `conflict` when the container uses more than it is to have,
/// `unsupported` when the machine cannot limit it. Then nothing is changed but what the kernel has taken already.
pub fn update(store: &Store, cx: &Context, mut row: Row, changes: &ContainerUpdate) -> Result<()> {
    let Some(_lock) = lock::lock(store, &row.id, &cx.cancel)? else {
        return Err(lookup::not_found(&row.name, &[]));
    };
    let state = state::refresh_locked(store, &mut row)?;
    let spec = merged(&row.spec, changes);
    if changes.restart.is_some() && spec.remove && spec.restart != RestartPolicy::No {
        return Err(Error::conflict(format!("container `{}` removes itself at its end", row.name))
            .hint("a restart policy is for containers that stay: make it without `remove`"));
    }
    resources::check(&spec.limits)?;
    if state.is_some() {
        let changes = resources::changes(&changes.limits, &spec.limits);
        let resources = spec::changed_limits(&changes);
        let hierarchies = Hierarchies::of_container(store.root_id8(), row.id.as_str())?;
        let path = container_path(store.root_id8(), row.id.as_str());
        let group = Group { hierarchies: &hierarchies, path: &path };
        for warning in group.update(&resources)? {
            cx.progress.warn(&warning);
        }
        // Read again by the monitor when it starts the container anew.
        bundle::set_limits(&monitor::run_dir(store, &row.id), &resources)?;
        if let Some(mut connection) = monitor::connect(store, &row.id)? {
            connection.update(cx, changes_of_policy(&spec, &row.spec), spec.limits.has_memory_limit())?;
        }
    }
    store.write(|tx| row::set_spec(tx, &row.id, &spec))?;
    events::record(store, &row, "update");
    Ok(())
}

fn changes_of_policy(spec: &ContainerSpec, before: &ContainerSpec) -> Option<RestartPolicy> {
    (spec.restart != before.restart).then(|| spec.restart.clone())
}

fn merged(spec: &ContainerSpec, changes: &ContainerUpdate) -> ContainerSpec {
    ContainerSpec {
        limits: changes.limits.or(&spec.limits),
        restart: changes.restart.clone().unwrap_or_else(|| spec.restart.clone()),
        ..spec.clone()
    }
}
