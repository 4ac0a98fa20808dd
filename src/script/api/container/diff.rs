//! `container.diff()`: what it changed of its image.

use super::Container;
use crate::engine;
use crate::error::Result;
use crate::script::binding::{Call, Object, api};
use std::sync::Arc;

/// A path whose file differs from the image's.
#[derive(Clone, Object)]
pub struct FileChange(Arc<engine::FileChange>);

#[api]
impl FileChange {
    /// `added`, `changed` or `deleted`.
    #[get(column)]
    pub fn kind(&self) -> String {
        self.0.kind.name().to_owned()
    }

    /// Where it is in the container.
    #[get(column)]
    pub fn path(&self) -> String {
        self.0.path.clone()
    }
}

#[api]
impl Container {
    /// What it changed of its image's files, running or not, in the order of paths. A folder is changed when something in
    /// it is; of a folder that was deleted only the folder is told.
    ///
    /// # Example (engine)
    /// for change in container("web").diff() { print(`${change.kind} ${change.path}`) }
    ///
    /// # Errors
    /// `not_found`.
    pub fn diff(&self, call: &Call) -> Result<Vec<FileChange>> {
        let changes = call.engine()?.diff(&call.context(), self.reference())?;
        Ok(changes.into_iter().map(|change| FileChange(Arc::new(change))).collect())
    }
}
