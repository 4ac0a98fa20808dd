//! The monitor of a container, from its id.

use crate::error::Result;
use crate::model::Id;
use crate::runtime::control::Connection;
use crate::store::Store;
use std::path::PathBuf;

/// Where a container's monitor has its socket.
pub fn run_dir(store: &Store, id: &Id) -> PathBuf {
    store.run_dir().join(id.short())
}

/// Connects to its monitor; `None` when it has none.
pub fn connect(store: &Store, id: &Id) -> Result<Option<Connection>> {
    Connection::open(&run_dir(store, id), &store.container_dir(id.as_str()))
}
