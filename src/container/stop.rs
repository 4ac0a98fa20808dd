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
    end(store, cx, &row, timeout)?;
    state::settle(store, cx, &mut row)
}

/// The same, with its end left to be folded by the caller.
pub fn end(store: &Store, cx: &Context, row: &Row, timeout: Option<Duration>) -> Result<()> {
    loop {
        if let Some(mut connection) = monitor::connect(store, &row.id)? {
            match connection.stop(cx, timeout) {
                Ok(_) => return Ok(()),
                // A monitor that is killed says nothing.
                Err(error) => cx.check().map_err(|_| error)?,
            }
        }
        // One whose monitor was killed may be started again at this moment.
        if state::note_stop(store, cx, row)? {
            return Ok(());
        }
        cx.cancel.sleep(Duration::from_millis(5))?;
    }
}

/// Sends a signal (`TERM`, `SIGTERM` or a number) to its first process.
pub fn kill(store: &Store, cx: &Context, row: &Row, signal: &str) -> Result<()> {
    let number = signal::number(signal)?;
    match monitor::connect(store, &row.id)? {
        Some(mut connection) => connection.signal(cx, number),
        None => Err(state::not_running(row)),
    }
}
