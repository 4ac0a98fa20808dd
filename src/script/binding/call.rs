//! What a bound function is given besides its arguments.

use super::current;
use crate::context::Context;
use crate::engine::Engine;
use crate::error::Result;
use crate::script::Session;
use rhai::{Dynamic, NativeCallContext};
use std::sync::Arc;

/// One call of a script function: the session, the circumstances, and Rhai's own context.
pub struct Call<'a> {
    native: &'a NativeCallContext<'a>,
    session: &'a Arc<Session>,
    this: Option<Dynamic>,
}

impl<'a> Call<'a> {
    /// A call on `this`, a copy of its receiver.
    pub fn new(native: &'a NativeCallContext<'a>, session: &'a Arc<Session>, this: Option<Dynamic>) -> Self {
        Self { native, session, this }
    }

    /// What the script shares: arguments, folder, output, the engine.
    pub fn session(&self) -> &'a Arc<Session> {
        self.session
    }

    /// The container engine; opened by the first call that asks for it.
    pub fn engine(&self) -> Result<Arc<dyn Engine>> {
        self.session.engine()
    }

    /// When to stop, where progress goes, which scope owns what is made.
    pub fn context(&self) -> Context {
        current().unwrap_or_else(|| self.session.root_context())
    }

    /// Rhai's context of the call, for what works on closures.
    pub fn native(&self) -> &'a NativeCallContext<'a> {
        self.native
    }

    /// What the function was called on; bound as `this` in callbacks.
    pub fn this(&self) -> Option<&Dynamic> {
        self.this.as_ref()
    }
}
