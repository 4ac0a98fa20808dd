//! Takes a container out of its scope.

use super::monitor;
use super::row::Row;
use crate::context::Context;
use crate::error::Result;
use crate::store::Store;
use crate::store::scopes::{self, ItemKind};

/// From now on it outlives the script.
pub fn keep(store: &Store, cx: &Context, row: &Row) -> Result<()> {
    store.write(|tx| scopes::release(tx, ItemKind::Container, row.id.as_str()))?;
    match monitor::connect(store, &row.id)? {
        Some(mut connection) => connection.outlive_launcher(cx),
        None => Ok(()),
    }
}
