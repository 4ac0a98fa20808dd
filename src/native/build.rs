//! Builds images.

use super::NativeEngine;
use crate::build;
use crate::context::Context;
use crate::engine::BuildPlan;
use crate::error::{ErrorKind, Result};
use crate::events::{self, Occurrence};
use crate::image;
use crate::model::{ImageInfo, Platform, Reference};

impl NativeEngine {
    /// Builds an image; the base image is pulled when it is missing.
    pub(super) fn build_image(&self, cx: &Context, plan: &BuildPlan) -> Result<ImageInfo> {
        let built = match build::build(&self.store, plan, self, cx) {
            Err(error) if error.is(ErrorKind::NotFound) && self.is_missing(&plan.from)? => {
                let reference: Reference = plan.from.parse()?;
                image::pull(&self.store, self.client()?, &reference, &Platform::host(), cx)?;
                build::build(&self.store, plan, self, cx)
            }
            built => built,
        };
        let id = built.map_err(|error| self.store.explain_full_disk(error, 0))?;
        for tag in &plan.tags {
            self.own_image(cx, tag)?;
            events::record(self.store.root(), &[Occurrence::image("tag", &id.to_string(), tag)]);
        }
        image::info(&self.store, &id)
    }

    fn is_missing(&self, from: &str) -> Result<bool> {
        Ok(from != "scratch" && from.parse::<Reference>().is_ok() && image::find(&self.store, from)?.is_none())
    }
}
