//! Waits for a container's end.

use super::ended_record;
use super::lookup;
use super::row::{self, Row};
use super::{monitor, state};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::store::Store;
use std::time::{Duration, Instant};

/// How long a clean-up may take before nobody waits for it any more.
const REMOVAL: Duration = Duration::from_secs(5);

/// Its exit code, once it has ended. The code of a container that was removed at its end is known for an hour.
pub fn wait(store: &Store, cx: &Context, text: &str) -> Result<i32> {
    let mut row = match store.read(|db| lookup::find(db, text)) {
        Ok(row) => row,
        Err(error) => return ended_record::read(store, text)?.and_then(|info| info.exit_code).ok_or(error),
    };
    if row.state.status == crate::model::Status::Created {
        return Err(Error::conflict(format!("container `{}` was never started", row.name))
            .hint(format!("start it: `container(\"{}\").start()`", row.name)));
    }
    loop {
        if let Some(mut connection) = monitor::connect(store, &row.id)? {
            match connection.wait(cx) {
                Ok(exit) => return wait_for_removal(store, cx, &row).map(|()| exit.code),
                // A monitor that was killed says nothing: the state tells.
                Err(error) => cx.check().map_err(|_| error)?,
            }
        }
        if let Some(code) = ended_code(store, &mut row)? {
            return wait_for_removal(store, cx, &row).map(|()| code);
        }
        // It is being started or removed by somebody at this moment.
        cx.cancel.sleep(Duration::from_millis(5))?;
    }
}

/// With `remove: true` its name is free when the caller goes on, as after `docker run --rm`.
fn wait_for_removal(store: &Store, cx: &Context, row: &Row) -> Result<()> {
    let until = Instant::now() + REMOVAL;
    while row.spec.remove && Instant::now() < until {
        if store.read(|db| row::get(db, row.id.as_str()))?.is_none() {
            break;
        }
        cx.cancel.sleep(Duration::from_millis(2))?;
    }
    Ok(())
}

fn ended_code(store: &Store, row: &mut Row) -> Result<Option<i32>> {
    state::refresh(store, row)?;
    if row.state.status.is_alive() {
        return Ok(None);
    }
    if let Some(code) = row.state.exit_code {
        return Ok(Some(code));
    }
    if let Some(now) = store.read(|db| row::get(db, row.id.as_str()))? {
        *row = now;
        return Ok(row.state.exit_code);
    }
    let code = ended_record::read(store, row.id.as_str())?.and_then(|info| info.exit_code);
    code.map(Some).ok_or_else(|| lookup::not_found(&row.name, &[]))
}
