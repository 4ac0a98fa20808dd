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
use std::time::Duration;

/// Removes a container; `force` kills a running one first. Succeeds when somebody else has just removed it.
pub fn remove(store: &Store, cx: &Context, mut row: Row, force: bool) -> Result<()> {
    if force {
        stop::end(store, cx, &row, Some(Duration::ZERO))?;
    } else {
        state::refresh(store, &mut row)?;
        refuse_alive(&row)?;
    }
    let Some(_lock) = lock::lock(store, &row.id, &cx.cancel)? else {
        return forget(store, &row.id);
    };
    state::refresh_locked(store, &mut row)?;
    if row.state.status.is_alive() {
        return Err(Error::conflict(format!("container `{}` was started again meanwhile", row.name)).hint("try again"));
    }
    if row.spec.remove && row.state.exit_code.is_some() {
        ended_record::write(store, &row, &info(store, row.clone())?)?;
    }
    take_apart(store, cx, &row.id, &row.plan.network)
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
pub fn take_apart(store: &Store, cx: &Context, id: &Id, network: &NetworkPlan) -> Result<()> {
    let (folder, run_dir) = (store.container_dir(id.as_str()), monitor::run_dir(store, id));
    control::wait_until_gone(cx, &folder)?;
    // The last thing that a monitor takes away.
    if run_dir.exists() {
        control::sweep_dead(store.root_id8(), id.as_str(), &folder, &run_dir, network)?;
    }
    forget(store, id)?;
    folder::discard(store, id)
}

fn forget(store: &Store, id: &Id) -> Result<()> {
    network::release(store, id.as_str())?;
    let removed = store.write(|tx| {
        let row = row::get(tx, id.as_str())?;
        row::delete(tx, id)?;
        scopes::release(tx, ItemKind::Container, id.as_str())?;
        Ok(row)
    })?;
    if let Some(row) = removed {
        events::record(store, &row, "destroy");
    }
    Ok(())
}
