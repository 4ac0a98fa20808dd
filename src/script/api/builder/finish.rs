//! `builder.tag()` and `builder.build()`: now it is built.

use super::Builder;
use crate::engine::BuildPlan;
use crate::error::Result;
use crate::model::Reference;
use crate::script::api::image::Image;
use crate::script::binding::{Call, api};

#[api]
impl Builder {
    /// Builds the image, steps that were built before from the cache, and gives it a name.
    ///
    /// # Example (engine)
    /// let shell = from("scratch").host_program("/bin/sh").cmd("sh").tag("shell:latest");
    ///
    /// # Errors
    /// `not_found` when the base or a file is missing, `exit` when a command fails, `invalid` for a wrong name.
    pub fn tag(&self, call: &Call, reference: String) -> Result<Image> {
        reference.parse::<Reference>()?;
        let plan = BuildPlan { tags: vec![reference.clone()], ..BuildPlan::clone(&self.plan) };
        call.engine()?.build(&call.context(), &plan)?;
        Ok(Image::new(reference))
    }

    /// Builds the image, steps that were built before from the cache, without a name.
    ///
    /// # Example (engine)
    /// print(from("scratch").host_program("/bin/sh").build().id);
    ///
    /// # Errors
    /// Those of `tag`.
    pub fn build(&self, call: &Call) -> Result<Image> {
        let info = call.engine()?.build(&call.context(), &self.plan)?;
        Ok(Image::new(info.id.to_string()))
    }
}
