//! `keep()`: what outlives its scope.

use super::container::Container;
use super::network::Network;
use super::volume::Volume;
use crate::error::Result;
use crate::script::binding::{Call, FromScript, Refusal, api};
use rhai::Dynamic;

/// What a scope can own and let go of.
pub enum Kept {
    /// A container.
    Container(Container),
    /// A volume.
    Volume(Volume),
    /// A network.
    Network(Network),
}

impl FromScript for Kept {
    fn type_name() -> String {
        "Container, Volume or Network".to_owned()
    }

    fn accepts(value: &Dynamic) -> bool {
        Container::accepts(value) || Volume::accepts(value) || Network::accepts(value)
    }

    fn from_script(value: Dynamic) -> Result<Self, Refusal> {
        if Volume::accepts(&value) {
            Volume::from_script(value).map(Self::Volume)
        } else if Network::accepts(&value) {
            Network::from_script(value).map(Self::Network)
        } else {
            Container::from_script(value).map(Self::Container)
        }
    }
}

/// Takes a container, with the volumes that it has, a volume or a network out of its scope: it outlives the script. Gives it.
///
/// # Example (engine)
/// scope(|| keep(image("node:18").run(#{ name: "web" })));
/// scope(|| keep(create_volume("data")));
///
/// # Errors
/// `not_found`.
#[api]
pub fn keep(call: &Call, thing: Kept) -> Result<Dynamic> {
    let (engine, cx) = (call.engine()?, call.context());
    Ok(match thing {
        Kept::Container(container) => {
            engine.keep(&cx, container.reference())?;
            Dynamic::from(container)
        }
        Kept::Volume(volume) => {
            engine.keep_volume(&cx, volume.reference())?;
            Dynamic::from(volume)
        }
        Kept::Network(network) => {
            engine.keep_network(&cx, network.reference())?;
            Dynamic::from(network)
        }
    })
}
