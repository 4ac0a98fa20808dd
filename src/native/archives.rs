//! Images in archives.

use super::NativeEngine;
use crate::build;
use crate::context::Context;
use crate::error::Result;
use crate::image;
use crate::model::{ImageInfo, ImportSpec, Platform};
use std::io::Read;

impl NativeEngine {
    /// Like those that were pulled, and unlike those that were made, the images outlive a scope.
    pub(super) fn load_archive(
        &self,
        cx: &Context,
        input: &mut (dyn Read + Send),
        platform: Option<&Platform>,
    ) -> Result<Vec<ImageInfo>> {
        let wanted = platform.cloned().unwrap_or_else(Platform::host);
        let mut images = Vec::new();
        for id in image::load(&self.store, input, &wanted, cx)? {
            let info = image::info(&self.store, &id)?;
            if (&info.platform.os, &info.platform.architecture) != (&wanted.os, &wanted.architecture) {
                let name = info.tags.first().map_or_else(|| id.short().to_owned(), Clone::clone);
                cx.progress.warn(&format!("`{name}` is for {}, not for {wanted}", info.platform));
            }
            images.push(info);
        }
        Ok(images)
    }

    pub(super) fn import_tar(
        &self,
        cx: &Context,
        input: &mut (dyn Read + Send),
        spec: &ImportSpec,
    ) -> Result<ImageInfo> {
        let id = build::import(&self.store, input, spec, cx)?;
        if let Some(name) = &spec.reference {
            self.own_image(cx, name)?;
        }
        image::info(&self.store, &id)
    }
}
