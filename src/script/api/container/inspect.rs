//! `container.inspect()`.

use super::Container;
use crate::error::Result;
use crate::script::binding::{Call, api};
use serde_json::Value;

#[api]
impl Container {
    /// Everything about it, in the shape of `docker inspect`.
    ///
    /// # Example (engine)
    /// print(container("web").inspect().State.Status);
    ///
    /// # Errors
    /// `not_found`.
    pub fn inspect(&self, call: &Call) -> Result<Value> {
        call.engine()?.inspect_container(&call.context(), self.reference())
    }
}
