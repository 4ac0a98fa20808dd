//! Removes containers.

use super::info::info;
use super::lock;
use super::row::{self, Row};
use super::{ended_record, folder, monitor, state};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::model::Id;
use crate::network;
use crate::runtime::sweep::sweep;
use crate::store::Store;
use crate::store::scopes::{self, ItemKind};
use std::time::Duration;

/// Removes a container; `force` kills a running one first. Succeeds when somebody else has just removed it.
pub fn remove(store: &Store, cx: &Context, mut row: Row, force: bool) -> Result<()> {
    if force {
        if let Some(mut connection) = monitor::connect(store, &row.id)?
            && let Err(error) = connection.stop(cx, Some(Duration::ZERO))
        {
            // A monitor that is killed says nothing; what is left is swept below.
            cx.check().map_err(|_| error)?;
        }
    } else if state::refresh(store, &mut row)?.is_some() {
        return Err(Error::conflict(format!("container `{}` is running", row.name)).hint(format!(
            "stop it first: `container(\"{0}\").stop()`, or `container(\"{0}\").remove(#{{ force: true }})`",
            row.name
        )));
    }
    let Some(_lock) = lock::lock(store, &row.id, &cx.cancel)? else {
        return forget(store, &row.id);
    };
    if state::refresh_locked(store, &mut row)?.is_some() {
        return Err(Error::conflict(format!("container `{}` was started again meanwhile", row.name)).hint("try again"));
    }
    if row.spec.remove && row.state.exit_code.is_some() {
        ended_record::write(store, &row, &info(store, row.clone())?)?;
    }
    take_apart(store, &row.id)
}

/// Takes away everything of a container that has ended. The caller holds its lock.
///
/// The row goes first: a folder without a row is swept, a row without a folder would stay.
pub fn take_apart(store: &Store, id: &Id) -> Result<()> {
    let container_dir = store.container_dir(id.as_str());
    sweep(&container_dir, &monitor::run_dir(store, id), store.root_id8(), id.as_str())?;
    forget(store, id)?;
    folder::discard(store, id)
}

fn forget(store: &Store, id: &Id) -> Result<()> {
    network::release(store, id.as_str())?;
    store.write(|tx| {
        row::delete(tx, id)?;
        scopes::release(tx, ItemKind::Container, id.as_str())
    })
}
