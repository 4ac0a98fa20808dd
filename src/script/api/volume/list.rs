//! `volumes()` and `volume.containers()`.

use super::Volume;
use crate::error::Result;
use crate::model::VolumeFilter;
use crate::script::api::container::Container;
use crate::script::api::values::Labels;
use crate::script::binding::{Call, Options, api};

/// Options of `volumes`.
#[derive(Default, Options)]
pub struct VolumesOptions {
    /// Part of the name.
    pub name: Option<String>,
    /// Labels that must be there: `"key"`, `"key=value"`, or several.
    #[option(alias = "labels")]
    pub label: Labels,
    /// Only those that no container has (`true`), or one has (`false`).
    pub dangling: Option<bool>,
}

/// The volumes that are here, by name.
///
/// # Example (engine)
/// for v in volumes(#{ dangling: true, label: "app=shop" }) { print(v.name) }
#[api]
pub fn volumes(call: &Call, options: VolumesOptions) -> Result<Vec<Volume>> {
    let filter = VolumeFilter { name: options.name, labels: options.label.0, dangling: options.dangling };
    let found = call.engine()?.volumes(&call.context(), &filter)?;
    Ok(found.into_iter().map(|info| Volume::new(info.name)).collect())
}

#[api]
impl Volume {
    /// The containers that have it, running or not, the oldest first.
    ///
    /// # Example (engine)
    /// for c in volume("data").containers() { print(c.name) }
    ///
    /// # Errors
    /// `not_found`.
    pub fn containers(&self, call: &Call) -> Result<Vec<Container>> {
        let users = call.engine()?.volume_users(&call.context(), self.reference())?;
        Ok(users.into_iter().map(Container::new).collect())
    }
}
