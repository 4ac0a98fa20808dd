//! Gives a container another name.

use super::row::{self, Row};
use super::{events, lookup, monitor};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::model::name;
use crate::store::Store;

/// Gives it the name; what it is called inside stays.
///
/// # Errors
/// `conflict` when the name is taken, also by itself; `invalid` when it can be no name.
pub fn rename(store: &Store, cx: &Context, mut row: Row, new: &str) -> Result<()> {
    name::check("container", new)?;
    let renamed = store.write(|tx| {
        // It may have got another name since it was looked up.
        row = row::get(tx, row.id.as_str())?.ok_or_else(|| lookup::not_found(&row.name, &[]))?;
        if row.name == new {
            return Err(Error::conflict(format!("container `{new}` has this name already")));
        }
        row::set_name(tx, &row.id, new)
    });
    renamed?;
    let old = std::mem::replace(&mut row.name, new.to_owned());
    events::record_with(store, &row, "rename", &[("oldName", &old)]);
    // For its events. One that was started by an older Shanty does not know of names; one that goes needs none.
    if let Ok(Some(mut monitor)) = monitor::connect(store, &row.id) {
        let _ = monitor.rename(cx, new);
    }
    Ok(())
}
