//! The log of a container, also of one that was removed at its end.

use super::row::Row;
use super::{ended_record, folder, logs, lookup, state};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::model::{LogDriver, LogLine, LogOptions};
use crate::store::Store;

/// Gives each line of its log that the options want to `on_line`, until that says `false` or the log ends;
/// following ends when the container does.
pub fn read_logs(
    store: &Store,
    cx: &Context,
    text: &str,
    options: &LogOptions,
    on_line: &mut dyn FnMut(LogLine) -> Result<bool>,
) -> Result<()> {
    let (id, missing) = match store.read(|db| lookup::find(db, text)) {
        Ok(mut row) => {
            if row.spec.log.driver == LogDriver::None {
                return Err(not_kept(&row));
            }
            let path = folder::file(store, &row.id, logs::FILE_NAME);
            if logs::read(cx, &path, options, &mut || has_ended(store, &mut row), on_line)? {
                return Ok(());
            }
            // It was never started, or has been removed since the look at its row.
            (row.id.as_str().to_owned(), None)
        }
        Err(error) => (text.to_owned(), Some(error)),
    };
    match (ended_record::log(store, &id), missing) {
        (Some(path), _) => logs::read(cx, &path, options, &mut || Ok(true), on_line).map(drop),
        (None, Some(error)) => Err(error),
        (None, None) => Ok(()),
    }
}

fn not_kept(row: &Row) -> Error {
    Error::unsupported(format!("nothing is kept of what container `{}` writes: its log driver is `none`", row.name))
        .hint("look at it with `attach()`, or run it without `log: \"none\"`")
}

fn has_ended(store: &Store, row: &mut Row) -> Result<bool> {
    state::refresh(store, row)?;
    Ok(!row.state.status.is_alive())
}
