//! `volume.inspect()`.

use super::Volume;
use crate::error::Result;
use crate::script::binding::{Call, api};
use serde_json::Value;

#[api]
impl Volume {
    /// Everything about it, in the shape of `docker volume inspect`.
    ///
    /// # Example (engine)
    /// print(volume("data").inspect().Mountpoint);
    ///
    /// # Errors
    /// `not_found`.
    pub fn inspect(&self, call: &Call) -> Result<Value> {
        call.engine()?.inspect_volume(&call.context(), self.reference())
    }
}
