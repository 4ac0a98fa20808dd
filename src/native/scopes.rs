//! Ends scopes: containers, volumes, and images that were built in them.

use super::NativeEngine;
use crate::context::Context;
use crate::error::{ErrorKind, Result};
use crate::store::Store;
use crate::store::scopes::ItemKind;
use crate::{container, image, network, volume};

impl NativeEngine {
    pub(super) fn end_one_scope(&self, cx: &Context, scope: &str) -> Result<()> {
        let ended = container::end_scope(&self.store, cx, scope, &|kind, name| remove(&self.store, kind, name));
        self.reaper.container_ended();
        ended
    }

    pub(super) fn end_scopes_of_dead_scripts(&self, cx: &Context) -> Result<()> {
        container::end_dead_scopes(&self.store, cx, &|kind, name| remove(&self.store, kind, name))
    }
}

fn remove(store: &Store, kind: ItemKind, name: &str) -> Result<()> {
    match kind {
        ItemKind::Container => Ok(()),
        ItemKind::Image => match image::remove(store, name, false) {
            Err(error) if error.is(ErrorKind::NotFound) => Ok(()),
            removed => removed.map(drop),
        },
        ItemKind::Network => network::remove_by_id(store, name),
        ItemKind::Volume => match volume::remove(store, name) {
            Err(error) if error.is(ErrorKind::NotFound) => Ok(()),
            removed => removed,
        },
    }
}
