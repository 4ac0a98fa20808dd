//! `image.remove()`.

use super::Image;
use crate::error::{ErrorKind, Result};
use crate::script::binding::{Call, Options, api};

/// Options of `remove`.
#[derive(Default, Options)]
pub struct ImageRemoveOptions {
    /// Also takes an id that has several names.
    pub force: bool,
    /// Succeeds when it is not here.
    pub missing_ok: bool,
}

#[api]
impl Image {
    /// Takes its name away; with its last name the image goes. Gives the image.
    ///
    /// # Example (engine)
    /// image("node:18").remove(#{ missing_ok: true });
    ///
    /// # Errors
    /// `not_found` when it is not here, `conflict` when a container uses it.
    pub fn remove(&self, call: &Call, options: ImageRemoveOptions) -> Result<Image> {
        match call.engine()?.remove_image(&call.context(), self.reference(), options.force) {
            Err(error) if options.missing_ok && error.is(ErrorKind::NotFound) => {}
            result => result?,
        }
        Ok(self.clone())
    }
}
