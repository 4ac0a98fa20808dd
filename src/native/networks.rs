//! Networks, joined to the trait that scripts talk to.

use super::NativeEngine;
use crate::context::Context;
use crate::error::Result;
use crate::model::{NetworkAttachment, NetworkFilter, NetworkInfo, NetworkSpec};
use crate::{container, network};
use serde_json::Value;

impl NativeEngine {
    pub(super) fn make_network(&self, cx: &Context, spec: &NetworkSpec) -> Result<NetworkInfo> {
        network::info(&self.store, network::create(&self.store, cx, spec)?)
    }

    pub(super) fn find_network(&self, name: &str) -> Result<NetworkInfo> {
        match network::built_in(&self.store, name)? {
            Some(info) => Ok(info),
            None => network::info(&self.store, network::find(&self.store, name)?),
        }
    }

    pub(super) fn list_networks(&self, filter: &NetworkFilter) -> Result<Vec<NetworkInfo>> {
        self.reaper.settle();
        network::list(&self.store, filter)
    }

    pub(super) fn show_network(&self, name: &str) -> Result<Value> {
        match network::built_in(&self.store, name)? {
            Some(info) => Ok(network::inspect_built_in(&info)),
            None => network::inspect(&self.store, &network::find(&self.store, name)?),
        }
    }

    pub(super) fn take_network_away(&self, name: &str) -> Result<()> {
        // Containers whose command has been answered for do not use it any more.
        self.reaper.settle();
        network::refuse_built_in(name)?;
        network::remove(&self.store, &network::find(&self.store, name)?)
    }

    pub(super) fn connect(&self, cx: &Context, container: &str, wanted: &NetworkAttachment) -> Result<()> {
        network::refuse_built_in(&wanted.network)?;
        let network = network::find(&self.store, &wanted.network)?;
        container::connect(&self.store, cx, self.row(container)?, &network, wanted)
    }

    pub(super) fn disconnect(&self, cx: &Context, container: &str, name: &str) -> Result<()> {
        network::refuse_built_in(name)?;
        let network = network::find(&self.store, name)?;
        container::disconnect(&self.store, cx, self.row(container)?, &network)?;
        self.reaper.container_ended();
        Ok(())
    }
}
