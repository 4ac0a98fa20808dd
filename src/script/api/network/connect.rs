//! `network.connect()` and `network.disconnect()`.

use super::Network;
use crate::error::Result;
use crate::model::NetworkAttachment;
use crate::script::api::container::Container;
use crate::script::api::values::{OneOrMany, set_address};
use crate::script::binding::{Call, FromScript, Options, Refusal, api};
use rhai::Dynamic;

/// Options of `connect`.
#[derive(Default, Options)]
pub struct ConnectOptions {
    /// Other names that the container is found by.
    #[option(alias = "alias")]
    pub aliases: OneOrMany,
    /// Its address in the network, or its IPv6 address; free ones without it.
    #[option(alias = "ipv4_address")]
    pub ip: OneOrMany,
    /// Its IPv6 address.
    #[option(alias = "ipv6_address")]
    pub ip6: Option<String>,
}

/// A container, or what it is called.
pub struct ContainerOrName(Container);

impl FromScript for ContainerOrName {
    fn type_name() -> String {
        "Container or name".to_owned()
    }

    fn accepts(value: &Dynamic) -> bool {
        value.is_string() || Container::accepts(value)
    }

    fn from_script(value: Dynamic) -> Result<Self, Refusal> {
        if value.is_string() {
            Ok(Self(Container::new(value.to_string())))
        } else {
            Container::from_script(value).map(Self)
        }
    }
}

#[api]
impl Network {
    /// Connects a container, also while it runs. It keeps its other networks. Gives the network.
    ///
    /// # Example (engine)
    /// network("shop").connect("web", #{ aliases: ["www"] });
    ///
    /// # Errors
    /// `not_found`; `conflict` when it is connected already, has the network of the host or of another container, or the
    /// address is taken; `invalid` when the address is not one of the network's.
    pub fn connect(&self, call: &Call, container: ContainerOrName, options: ConnectOptions) -> Result<Network> {
        let mut attachment = NetworkAttachment { aliases: options.aliases.0, ..NetworkAttachment::to(&self.reference) };
        for text in options.ip.0.iter().chain(&options.ip6) {
            set_address(&mut attachment, text)?;
        }
        call.engine()?.connect_network(&call.context(), container.0.reference(), &attachment)?;
        Ok(Self::new(self.reference()))
    }

    /// Disconnects a container, also while it runs. Gives the network.
    ///
    /// # Example (engine)
    /// network("shop").disconnect("web");
    ///
    /// # Errors
    /// `not_found`; `conflict` when it is not connected, or its published ports lead through this network and no other one of
    /// it leads out.
    pub fn disconnect(&self, call: &Call, container: ContainerOrName) -> Result<Network> {
        call.engine()?.disconnect_network(&call.context(), container.0.reference(), self.reference())?;
        Ok(Self::new(self.reference()))
    }
}
