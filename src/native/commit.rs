//! An image from a container.

use super::NativeEngine;
use crate::build;
use crate::context::Context;
use crate::error::Result;
use crate::image;
use crate::model::{CommitSpec, ImageInfo};

impl NativeEngine {
    pub(super) fn commit_container(&self, cx: &Context, container: &str, spec: &CommitSpec) -> Result<ImageInfo> {
        let id = build::commit(&self.store, cx, &self.row(container)?, spec)
            .map_err(|error| self.store.explain_full_disk(error, 0))?;
        if let Some(name) = &spec.reference {
            self.own_image(cx, name)?;
        }
        image::info(&self.store, &id)
    }
}
