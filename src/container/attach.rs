//! The program of a running container at the caller's terminal.

use super::row::Row;
use super::seat::{self, not_blocking, pipe};
use super::{monitor, state};
use crate::context::Context;
use crate::error::Result;
use crate::model::DetachKeys;
use crate::store::Store;
use crate::sys::session::{self, End, Remote};

/// Shows what the program writes from now on, and gives it what is typed, until it ends or the keys are pressed. Gives
/// its exit code; `None` when it goes on.
pub fn attach(store: &Store, cx: &Context, row: &Row, keys: &DetachKeys) -> Result<Option<i32>> {
    let Some(connection) = monitor::connect(store, &row.id)? else {
        return Err(state::not_running(row));
    };
    let (output, output_write) = pipe()?;
    let (error, error_write) = pipe()?;
    not_blocking(&output)?;
    not_blocking(&error)?;
    let mut attachment = connection.attach(cx, [output_write, error_write])?;
    let outputs = [Some(output), Some(error)];
    let input = attachment.input.take();
    let remote = match input {
        Some(master) if attachment.tty => Remote { outputs, ..seat::remote_of(master)? },
        Some(input) => {
            not_blocking(&input)?;
            Remote { input: Some(input), outputs, terminal: None }
        }
        None => Remote { outputs, ..Remote::default() },
    };
    if session::join(cx, remote, attachment.pollable(), keys)? == End::Detached {
        return Ok(None);
    }
    let code = attachment.wait(cx)?;
    if code.is_none() {
        cx.progress.warn(&format!("detached from `{}`: its output came faster than it was read", row.name));
    }
    Ok(code)
}
