//! `network.inspect()`.

use super::Network;
use crate::error::Result;
use crate::script::binding::{Call, api};
use serde_json::Value;

#[api]
impl Network {
    /// Everything about it, in the shape of `docker network inspect`.
    ///
    /// # Example (engine)
    /// print(network("bridge").inspect().IPAM.Config);
    ///
    /// # Errors
    /// `not_found`.
    pub fn inspect(&self, call: &Call) -> Result<Value> {
        call.engine()?.inspect_network(&call.context(), self.reference())
    }
}
