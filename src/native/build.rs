//! Builds images; their commands run in containers of this engine.

use super::NativeEngine;
use crate::build::{self, Machine};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::events::{self, Occurrence};
use crate::image;
use crate::model::{BuildOutcome, BuildSpec, Digest, Platform, Reference};
use crate::registry::Client;

impl NativeEngine {
    /// Builds an image; base images are pulled when they are missing.
    pub(super) fn build_image(&self, cx: &Context, spec: &BuildSpec) -> Result<BuildOutcome> {
        let outcome =
            build::build(&self.store, spec, self, cx).map_err(|error| self.store.explain_full_disk(error, 0))?;
        for tag in &spec.tags {
            self.own_image(cx, tag)?;
            events::record(self.store.root(), &[Occurrence::image("tag", &outcome.id.to_string(), tag)]);
        }
        Ok(outcome)
    }
}

impl Machine for NativeEngine {
    fn image(&self, cx: &Context, reference: &str, platform: &Platform, always: bool) -> Result<Digest> {
        let here = image::find(&self.store, reference)?;
        let name: Option<Reference> = reference.parse().ok();
        if let Some(id) = here {
            let info = image::info(&self.store, &id)?;
            let is_for_it = (&info.platform.os, &info.platform.architecture) == (&platform.os, &platform.architecture);
            // An image by its id cannot be asked for, nor be had for another platform.
            if name.is_none() || is_for_it && !always || is_id(reference) {
                return Ok(id);
            }
        }
        let name = name.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("there is no image `{reference}`")))?;
        image::pull(&self.store, Machine::client(self)?, &name, platform, cx)
    }

    fn client(&self) -> Result<&Client> {
        NativeEngine::client(self)
    }
}

fn is_id(reference: &str) -> bool {
    let digits = reference.strip_prefix("sha256:").unwrap_or(reference);
    digits.len() >= 12 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}
