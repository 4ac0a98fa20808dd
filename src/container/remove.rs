//! Removes containers.

use super::info::info;
use super::lock;
use super::row::{self, Row};
use super::{ended_record, events, folder, monitor, state, stop};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::model::Id;
use crate::network;
use crate::runtime::control;
use crate::runtime::network::NetworkPlan;
use crate::store::Store;
use crate::store::scopes::{self, ItemKind};
use crate::volume;
use std::time::Duration;

/// How a container is removed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Removal {
    /// A running one is killed first.
    pub force: bool,
    /// The volumes that were made for it go with it, as they do with one that is to be removed at its end, or is a scope's.
    pub volumes: bool,
}

/// Removes a container. Succeeds when somebody else has just removed it.
pub fn remove(store: &Store, cx: &Context, mut row: Row, how: Removal) -> Result<()> {
    if how.force {
        stop::end(store, cx, &row, Some(Duration::ZERO))?;
    } else {
        state::refresh(store, &mut row)?;
        refuse_alive(&row)?;
    }
    let Some(_lock) = lock::lock(store, &row.id, &cx.cancel)? else {
        return forget(store, &row.id, how.volumes);
    };
    state::refresh_locked(store, &mut row)?;
    if row.state.status.is_alive() {
        return Err(Error::conflict(format!("container `{}` was started again meanwhile", row.name)).hint("try again"));
    }
    if row.spec.remove && row.state.exit_code.is_some() {
        ended_record::write(store, &row, &info(store, row.clone())?)?;
    }
    take_apart(store, cx, &row.id, &row.plan.network, how.volumes)
}

fn refuse_alive(row: &Row) -> Result<()> {
    let status = row.state.status;
    if !status.is_alive() {
        return Ok(());
    }
    Err(Error::conflict(format!("container `{}` is {status}", row.name)).hint(format!(
        "stop it first: `container(\"{0}\").stop()`, or `container(\"{0}\").remove(#{{ force: true }})`",
        row.name
    )))
}

/// Takes away everything of a container that has ended, once its monitor has gone. The caller holds its lock.
///
/// The row goes first: a folder without a row is swept, a row without a folder would stay.
pub fn take_apart(store: &Store, cx: &Context, id: &Id, network: &NetworkPlan, volumes: bool) -> Result<()> {
    let (folder, run_dir) = (store.container_dir(id.as_str()), monitor::run_dir(store, id));
    control::wait_until_gone(cx, &folder)?;
    // The last thing that a monitor takes away.
    if run_dir.exists() {
        control::sweep_dead(store.root_id8(), id.as_str(), &folder, &run_dir, network)?;
    }
    forget(store, id, volumes)?;
    folder::discard(store, id)
}

fn forget(store: &Store, id: &Id, volumes: bool) -> Result<()> {
    network::release(store, id.as_str())?;
    let (removed, released) = store.write(|tx| {
        let row = row::get(tx, id.as_str())?;
        let released = match &row {
            Some(row) if has_own_volumes(row) && (volumes || row.spec.remove || row.spec.scope.is_some()) => {
                volume::release(tx, id.as_str())?
            }
            _ => Vec::new(),
        };
        row::delete(tx, id)?;
        scopes::release(tx, ItemKind::Container, id.as_str())?;
        Ok((row, released))
    })?;
    for name in released {
        volume::discard(store, &name)?;
        volume::destroyed(store, &name);
    }
    if let Some(row) = removed {
        events::record(store, &row, "destroy");
    }
    Ok(())
}

fn has_own_volumes(row: &Row) -> bool {
    row.spec.mounts.iter().any(|mount| mount.anonymous)
}
