//! `keep()`: what outlives its scope.

use super::container::Container;
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
}

impl FromScript for Kept {
    fn type_name() -> String {
        "Container or Volume".to_owned()
    }

    fn accepts(value: &Dynamic) -> bool {
        Container::accepts(value) || Volume::accepts(value)
    }

    fn from_script(value: Dynamic) -> Result<Self, Refusal> {
        if Volume::accepts(&value) {
            Volume::from_script(value).map(Self::Volume)
        } else {
            Container::from_script(value).map(Self::Container)
        }
    }
}

/// Takes a container, with the volumes that it has, or a volume out of its scope: it outlives the script. Gives it.
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
    })
}
