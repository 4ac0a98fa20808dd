//! `image.inspect()`.

use super::Image;
use crate::error::Result;
use crate::script::binding::{Call, api};
use serde_json::Value;

#[api]
impl Image {
    /// Its whole config, in the shape of `docker image inspect`.
    ///
    /// # Example (engine)
    /// print(image("node:18").inspect().Config.Env);
    ///
    /// # Errors
    /// `not_found` when the image is not here.
    pub fn inspect(&self, call: &Call) -> Result<Value> {
        call.engine()?.inspect_image(&call.context(), self.reference())
    }
}
