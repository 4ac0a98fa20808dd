//! `builder.tag()` and `builder.build()`: now it is built.

use super::Builder;
use crate::engine::{BuildPlan, BuildSource};
use crate::error::Result;
use crate::script::api::build::{BuildOptions, image_of};
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
    pub fn tag(&self, call: &Call, reference: String, options: BuildOptions) -> Result<Image> {
        let mut options = options;
        options.tag.0.insert(0, reference);
        self.finish(call, options)
    }

    /// Builds the image, steps that were built before from the cache, without a name.
    ///
    /// # Example (engine)
    /// print(from("scratch").host_program("/bin/sh").build().id);
    ///
    /// # Errors
    /// Those of `tag`.
    pub fn build(&self, call: &Call, options: BuildOptions) -> Result<Image> {
        self.finish(call, options)
    }

    fn finish(&self, call: &Call<'_>, options: BuildOptions) -> Result<Image> {
        let spec = options.into_spec(call, BuildSource::Steps(BuildPlan::clone(&self.plan)))?;
        image_of(call, &spec)
    }
}
