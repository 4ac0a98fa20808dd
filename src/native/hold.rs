//! Containers that stand still for a while.

use super::NativeEngine;
use crate::container::{self, Hold};
use crate::context::Context;
use crate::engine::Held;
use crate::error::Result;

impl Held for Hold {
    fn end(self: Box<Self>) -> Result<()> {
        Hold::end(*self)
    }
}

impl NativeEngine {
    pub(super) fn hold_still(&self, cx: &Context, container: &str) -> Result<Box<dyn Held>> {
        Ok(Box::new(container::hold(&self.store, cx, &self.row(container)?)?))
    }
}
