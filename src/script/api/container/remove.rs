//! `container.remove()`.

use super::Container;
use crate::error::{ErrorKind, Result};
use crate::script::binding::{Call, Options, api};

/// Options of `remove`.
#[derive(Default, Options)]
pub struct RemoveOptions {
    /// Kills a running one first.
    pub force: bool,
    /// Takes its anonymous volumes along.
    #[option(alias = "v")]
    pub volumes: bool,
    /// Succeeds when there is no such container.
    pub missing_ok: bool,
}

#[api]
impl Container {
    /// Removes it with all it wrote; volumes stay, but for its anonymous ones with `volumes`, or where it was made with
    /// `remove: true` or in a scope. Gives the container.
    ///
    /// # Example (engine)
    /// container("web").remove(#{ force: true, missing_ok: true });
    ///
    /// # Errors
    /// `not_found` unless `missing_ok`, `conflict` when it runs, unless `force`.
    pub fn remove(&self, call: &Call, options: RemoveOptions) -> Result<Container> {
        match call.engine()?.remove(&call.context(), self.reference(), options.force, options.volumes) {
            Err(error) if options.missing_ok && error.is(ErrorKind::NotFound) => {}
            result => result?,
        }
        Ok(self.clone())
    }
}
