//! `volume.clone()`.

use super::Volume;
use crate::error::Result;
use crate::script::binding::{Call, api};

#[api]
impl Volume {
    /// Makes a new volume with its labels and files; where the file system can, they share their blocks until one of them is
    /// changed. What containers write meanwhile may be in it in part. Gives the new volume.
    ///
    /// # Example (engine)
    /// volume("data").clone("data-before");
    ///
    /// # Errors
    /// `not_found`, `conflict` when there is a volume of the new name.
    pub fn clone(&self, call: &Call, name: String) -> Result<Volume> {
        let info = call.engine()?.clone_volume(&call.context(), self.reference(), &name)?;
        Ok(Volume::new(info.name))
    }
}
