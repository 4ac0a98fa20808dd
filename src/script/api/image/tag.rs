//! `image.tag()` and `image.untag()`.

use super::Image;
use crate::error::Result;
use crate::script::binding::{Call, api};

#[api]
impl Image {
    /// Gives it another name; gives the image under that name.
    ///
    /// # Example (engine)
    /// image("node:18").tag("base:latest");
    ///
    /// # Errors
    /// `not_found` when the image is not here, `invalid` when `reference` is not a name.
    pub fn tag(&self, call: &Call, reference: String) -> Result<Image> {
        call.engine()?.tag_image(&call.context(), self.reference(), &reference)?;
        Ok(Self::new(reference))
    }

    /// Takes a name away, its own without an argument; the image stays. Gives the image.
    ///
    /// # Example (engine)
    /// image("node:18").untag("base:latest");
    ///
    /// # Errors
    /// `not_found` when the image is not here or has no such name.
    pub fn untag(&self, call: &Call, reference: Option<String>) -> Result<Image> {
        let name = reference.as_deref().unwrap_or(self.reference());
        let info = call.engine()?.untag_image(&call.context(), self.reference(), name)?;
        Ok(if name == self.reference() { Self::of(&info) } else { Self::new(self.reference()) })
    }
}
