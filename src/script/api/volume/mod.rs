//! `Volume`: a name for a volume, and what can be done with it. A file a verb.

mod backup;
mod clone;
mod create;
mod inspect;
mod list;
mod properties;
mod quiet;
mod remove;
mod restore;

use crate::error::Result;
use crate::model::VolumeInfo;
use crate::script::binding::{Call, Object, api};
use std::sync::Arc;

/// A volume: files that outlive containers. It is looked up when something is asked of it.
#[derive(Clone, Object)]
#[object(snapshot = Self::read_once)]
pub struct Volume {
    reference: String,
    info: Option<Arc<VolumeInfo>>,
}

/// A volume by its name; nothing is looked up yet.
///
/// # Example (engine)
/// if volume("data").exists { print(volume("data").path) }
#[api]
pub fn volume(name: String) -> Volume {
    Volume::new(name)
}

impl Volume {
    /// A handle to the volume with this name.
    pub fn new(reference: impl Into<String>) -> Self {
        Self { reference: reference.into(), info: None }
    }

    /// Its name.
    pub fn reference(&self) -> &str {
        &self.reference
    }

    fn info(&self, call: &Call) -> Result<Arc<VolumeInfo>> {
        match &self.info {
            Some(info) => Ok(info.clone()),
            None => call.engine()?.volume(&call.context(), &self.reference).map(Arc::new),
        }
    }

    /// The same with its state read once, for showing many properties.
    fn read_once(&self, call: &Call) -> Result<Self> {
        Ok(Self { reference: self.reference.clone(), info: Some(self.info(call)?) })
    }
}
