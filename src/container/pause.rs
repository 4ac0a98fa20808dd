//! Freezes containers, and lets them go on.

use super::monitor;
use super::row::Row;
use super::state;
use crate::context::Context;
use crate::error::{ErrorKind, Result};
use crate::runtime::control::Connection;
use crate::store::Store;

/// Freezes all its processes; returns once they stand still.
///
/// # Errors
/// `conflict` when it does not run or is paused already.
pub fn pause(store: &Store, cx: &Context, row: &Row) -> Result<()> {
    connect(store, row)?.pause(cx)
}

/// Lets its processes go on.
///
/// # Errors
/// `conflict` when it is not paused.
pub fn unpause(store: &Store, cx: &Context, row: &Row) -> Result<()> {
    connect(store, row)?.unpause(cx)
}

/// A container that stands still until this is dropped, also when our process is killed.
pub struct Hold(Connection);

/// Freezes all its processes for a while.
///
/// # Errors
/// `conflict` when it does not run or is paused already.
pub fn hold(store: &Store, cx: &Context, row: &Row) -> Result<Hold> {
    let mut connection = connect(store, row)?;
    connection.hold(cx)?;
    Ok(Hold(connection))
}

impl Hold {
    /// Lets it go on; returns once it does. It may have been let go on, or have ended, before.
    pub fn end(mut self) -> Result<()> {
        match self.0.unpause(&Context::background()) {
            Err(error) if !error.is(ErrorKind::Conflict) => Err(error),
            _ => Ok(()),
        }
    }
}

fn connect(store: &Store, row: &Row) -> Result<Connection> {
    monitor::connect(store, &row.id)?.ok_or_else(|| state::not_running(row))
}
