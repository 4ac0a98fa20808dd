//! What a network is: read from the store when it is asked for.

use super::Network;
use crate::error::{ErrorKind, Result};
use crate::script::api::container::Container;
use crate::script::binding::{Call, api};
use std::collections::BTreeMap;

#[api]
impl Network {
    /// Its name.
    #[get(column)]
    pub fn name(&self, call: &Call) -> Result<String> {
        Ok(self.info(call)?.name.clone())
    }

    /// Its id, 64 hexadecimal digits.
    #[get(column, shown = crate::script::api::shown::id)]
    pub fn id(&self, call: &Call) -> Result<String> {
        Ok(self.info(call)?.id.clone())
    }

    /// What it is made of: `bridge`, `host` or `null`.
    #[get(column)]
    pub fn driver(&self, call: &Call) -> Result<String> {
        Ok(self.info(call)?.driver.clone())
    }

    /// Its IPv4 subnet, `10.130.16.0/20`; `()` of one without, or of the default network before its first use.
    #[get(column)]
    pub fn subnet(&self, call: &Call) -> Result<Option<String>> {
        Ok(self.info(call)?.subnets.first().cloned())
    }

    /// Its subnets, the IPv4 one first.
    #[get]
    pub fn subnets(&self, call: &Call) -> Result<Vec<String>> {
        Ok(self.info(call)?.subnets.clone())
    }

    /// The host's IPv4 address in it: the containers' gateway; `()` where there is no subnet.
    #[get]
    pub fn gateway(&self, call: &Call) -> Result<Option<String>> {
        Ok(self.info(call)?.gateways.first().cloned())
    }

    /// Whether nothing leads out of it.
    #[get(column)]
    pub fn internal(&self, call: &Call) -> Result<bool> {
        Ok(self.info(call)?.internal)
    }

    /// Whether it has IPv6 addresses.
    #[get]
    pub fn ipv6(&self, call: &Call) -> Result<bool> {
        Ok(self.info(call)?.ipv6)
    }

    /// Its labels.
    #[get]
    pub fn labels(&self, call: &Call) -> Result<BTreeMap<String, String>> {
        Ok(self.info(call)?.labels.clone())
    }

    /// When it was made; `()` of `host` and `none`.
    #[get(column)]
    pub fn created(&self, call: &Call) -> Result<Option<jiff::Timestamp>> {
        Ok(self.info(call)?.created)
    }

    /// The containers in it, also those that will be when they start, the oldest first.
    ///
    /// # Example (engine)
    /// for c in network("shop").containers() { print(c.name) }
    ///
    /// # Errors
    /// `not_found`.
    pub fn containers(&self, call: &Call) -> Result<Vec<Container>> {
        Ok(self.info(call)?.containers.iter().map(Container::new).collect())
    }

    /// Whether there is such a network; `exists()` is the same.
    ///
    /// # Example (engine)
    /// if !network("shop").exists { create_network("shop") }
    #[get(lazy, callable)]
    pub fn exists(&self, call: &Call) -> Result<bool> {
        match self.info(call) {
            Ok(_) => Ok(true),
            Err(error) if error.is(ErrorKind::NotFound) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
