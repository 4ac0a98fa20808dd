//! Ends scopes: removes what they own, newest first, and reports all failures.

use super::remove::{Removal, remove};
use super::row;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::store::Store;
use crate::store::scopes::{self, ItemKind};

/// Removes what a scope owns. Things that other layers own are removed by `other`.
pub fn end(store: &Store, cx: &Context, scope: &str, other: &dyn Fn(ItemKind, &str) -> Result<()>) -> Result<()> {
    let items = store.read(|db| scopes::items(db, scope))?;
    let mut failures: Vec<Error> = Vec::new();
    for (kind, name) in items {
        let removed = match kind {
            ItemKind::Container => match store.read(|db| row::get(db, &name))? {
                Some(row) => remove(store, cx, row, Removal { force: true, volumes: true }),
                None => Ok(()),
            },
            ItemKind::Image | ItemKind::Volume | ItemKind::Network => other(kind, &name),
        };
        failures.extend(removed.err());
    }
    if failures.is_empty() {
        return store.write(|tx| scopes::forget(tx, scope));
    }
    let messages: Vec<String> = failures.iter().map(Error::message).collect();
    Err(Error::new(failures[0].kind(), messages.join("; ")).context("cleaning up the scope"))
}

/// Ends the scopes of scripts that are gone. What fails is left for the next command.
pub fn end_dead(store: &Store, cx: &Context, other: &dyn Fn(ItemKind, &str) -> Result<()>) -> Result<()> {
    for scope in store.read(scopes::of_dead_scripts)? {
        if let Err(error) = end(store, cx, &scope, other) {
            tracing::warn!(%error, "a scope of a script that is gone could not be cleaned up");
        }
    }
    Ok(())
}
