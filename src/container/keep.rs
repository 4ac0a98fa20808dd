//! Takes a container out of its scope.

use super::monitor;
use super::row::{self, Row};
use crate::context::Context;
use crate::error::Result;
use crate::model::ContainerSpec;
use crate::store::Store;
use crate::store::scopes::{self, ItemKind};
use crate::volume;

/// From now on it outlives the script, and so do its volumes.
pub fn keep(store: &Store, cx: &Context, row: &Row) -> Result<()> {
    let spec = ContainerSpec { scope: None, ..row.spec.clone() };
    store.write(|tx| {
        row::set_spec(tx, &row.id, &spec)?;
        volume::keep_those_of(tx, row.id.as_str())?;
        scopes::release(tx, ItemKind::Container, row.id.as_str())
    })?;
    match monitor::connect(store, &row.id)? {
        Some(mut connection) => connection.outlive_launcher(cx),
        None => Ok(()),
    }
}
