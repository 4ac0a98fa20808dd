//! `network.remove()`.

use super::Network;
use crate::error::{ErrorKind, Result};
use crate::script::binding::{Call, Options, api};

/// Options of `remove`.
#[derive(Default, Options)]
pub struct RemoveNetworkOptions {
    /// Disconnects its containers first.
    pub force: bool,
    /// Succeeds when there is no such network.
    pub missing_ok: bool,
}

#[api]
impl Network {
    /// Removes it. Gives the network.
    ///
    /// # Example (engine)
    /// network("shop").remove(#{ missing_ok: true });
    ///
    /// # Errors
    /// `not_found` unless `missing_ok`; `conflict` when containers are in it, running or not, unless `force`; `invalid` for those
    /// that are always there.
    pub fn remove(&self, call: &Call, options: RemoveNetworkOptions) -> Result<Network> {
        let (engine, cx) = (call.engine()?, call.context());
        let remove = || {
            if options.force {
                for container in &engine.network(&cx, self.reference())?.containers {
                    engine.disconnect_network(&cx, container, self.reference())?;
                }
            }
            engine.remove_network(&cx, self.reference())
        };
        match remove() {
            Err(error) if options.missing_ok && error.is(ErrorKind::NotFound) => {}
            result => result?,
        }
        Ok(Self::new(self.reference()))
    }
}
