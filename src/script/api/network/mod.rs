//! `Network`: a name for a network, and what can be done with it. A file a verb.

mod connect;
mod create;
mod inspect;
mod list;
mod properties;
mod remove;

use crate::error::Result;
use crate::model::NetworkInfo;
use crate::script::binding::{Call, Object, api};
use std::sync::Arc;

/// A network: containers in it reach each other, by their names. It is looked up when something is asked of it.
#[derive(Clone, Object)]
#[object(snapshot = Self::read_once)]
pub struct Network {
    reference: String,
    info: Option<Arc<NetworkInfo>>,
}

/// A network by its name, its id or a unique beginning of it; nothing is looked up yet. `bridge`, `host` and `none` are
/// always there.
///
/// # Example (engine)
/// if network("shop").exists { print(network("shop").subnet) }
#[api]
pub fn network(name: String) -> Network {
    Network::new(name)
}

impl Network {
    /// A handle to the network with this name or id.
    pub fn new(reference: impl Into<String>) -> Self {
        Self { reference: reference.into(), info: None }
    }

    /// What it was named by.
    pub fn reference(&self) -> &str {
        &self.reference
    }

    fn info(&self, call: &Call) -> Result<Arc<NetworkInfo>> {
        match &self.info {
            Some(info) => Ok(info.clone()),
            None => call.engine()?.network(&call.context(), &self.reference).map(Arc::new),
        }
    }

    /// The same with its state read once, for showing many properties.
    fn read_once(&self, call: &Call) -> Result<Self> {
        Ok(Self { reference: self.reference.clone(), info: Some(self.info(call)?) })
    }
}
