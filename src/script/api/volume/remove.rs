//! `volume.remove()`.

use super::Volume;
use crate::error::{ErrorKind, Result};
use crate::script::binding::{Call, Options, api};

/// Options of `remove`.
#[derive(Default, Options)]
pub struct RemoveVolumeOptions {
    /// Succeeds when there is no such volume. `force` is the same: that is all it means to Docker.
    #[option(alias = "force")]
    pub missing_ok: bool,
}

#[api]
impl Volume {
    /// Removes it with all that is in it. Gives the volume.
    ///
    /// # Example (engine)
    /// volume("data").remove(#{ missing_ok: true });
    ///
    /// # Errors
    /// `not_found` unless `missing_ok`, `conflict` when a container has it, whether it runs or not.
    pub fn remove(&self, call: &Call, options: RemoveVolumeOptions) -> Result<Volume> {
        match call.engine()?.remove_volume(&call.context(), self.reference()) {
            Err(error) if options.missing_ok && error.is(ErrorKind::NotFound) => {}
            result => result?,
        }
        Ok(Self::new(self.reference()))
    }
}
