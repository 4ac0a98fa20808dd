//! Takes volumes out of their scopes.

use super::users;
use crate::error::Result;
use crate::store::Store;
use crate::store::rusqlite::Connection;
use crate::store::scopes::{self, ItemKind};

/// From now on it outlives the script.
pub fn keep(store: &Store, name: &str) -> Result<()> {
    let row = super::find(store, name)?;
    store.write(|tx| scopes::release(tx, ItemKind::Volume, &row.name))
}

/// The same for those of a container that outlives the script.
pub fn keep_those_of(tx: &Connection, container: &str) -> Result<()> {
    users::volumes_of(tx, container)?.iter().try_for_each(|name| scopes::release(tx, ItemKind::Volume, name))
}
