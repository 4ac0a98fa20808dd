//! Freezes containers, and lets them go on.

use super::monitor;
use super::row::Row;
use super::state;
use crate::context::Context;
use crate::error::Result;
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

fn connect(store: &Store, row: &Row) -> Result<Connection> {
    monitor::connect(store, &row.id)?.ok_or_else(|| state::not_running(row))
}
