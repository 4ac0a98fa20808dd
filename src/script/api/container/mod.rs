//! `Container`: a name for a container, and what can be done with it. A file a verb.

mod commit;
mod copy;
mod diff;
mod exec;
mod export;
mod files;
mod http_probe;
mod inspect;
mod lifecycle;
mod list;
mod logs;
mod pause;
mod properties;
mod remove;
mod rename;
pub mod shell;
mod stats;
mod top;
mod update;
mod wait;
mod wait_for;

use crate::error::Result;
use crate::model::ContainerInfo;
use crate::script::binding::{Call, Object, api};
use std::sync::Arc;

/// A container: running, stopped, or gone by now. Its state is read when a property is.
#[derive(Clone, Object)]
#[object(snapshot = Self::read_once)]
pub struct Container {
    reference: String,
    info: Option<Arc<ContainerInfo>>,
}

/// A container by its name, its id or a unique beginning of it; nothing is looked up yet.
///
/// # Example (engine)
/// if container("web").exists { container("web").stop() }
#[api]
pub fn container(name: String) -> Container {
    Container::new(name)
}

impl Container {
    /// A handle to the container with this id or name.
    pub fn new(reference: impl Into<String>) -> Self {
        Self { reference: reference.into(), info: None }
    }

    /// What it was named by: the id, when it was made or listed.
    pub fn reference(&self) -> &str {
        &self.reference
    }

    /// What is known about it now.
    pub(super) fn info(&self, call: &Call) -> Result<Arc<ContainerInfo>> {
        match &self.info {
            Some(info) => Ok(info.clone()),
            None => call.engine()?.container(&call.context(), &self.reference).map(Arc::new),
        }
    }

    /// The same with its state read once, for showing many properties.
    fn read_once(&self, call: &Call) -> Result<Self> {
        Ok(Self { info: Some(self.info(call)?), ..self.clone() })
    }
}
