//! Ends containers: asking (`stop`), and any signal (`kill`).

use super::row::Row;
use super::{monitor, state};
use crate::context::Context;
use crate::error::Result;
use crate::model::signal;
use crate::store::Store;
use std::time::Duration;

/// Sends its stop signal, and KILL after `timeout` (`None`: its own). Succeeds when it has ended already.
pub fn stop(store: &Store, cx: &Context, mut row: Row, timeout: Option<Duration>) -> Result<()> {
    if let Some(mut connection) = monitor::connect(store, &row.id)?
        && let Err(error) = connection.stop(cx, timeout)
    {
        cx.check().map_err(|_| error)?;
    }
    state::settle(store, cx, &mut row)
}

/// Sends a signal (`TERM`, `SIGTERM` or a number) to its first process.
pub fn kill(store: &Store, cx: &Context, row: &Row, signal: &str) -> Result<()> {
    let number = signal::number(signal)?;
    match monitor::connect(store, &row.id)? {
        Some(mut connection) => connection.signal(cx, number),
        None => Err(state::not_running(row)),
    }
}
