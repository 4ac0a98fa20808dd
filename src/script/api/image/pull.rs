//! `image.pull()`.

use super::Image;
use crate::context::Silent;
use crate::engine::PullOptions;
use crate::error::Result;
use crate::script::binding::{Call, Options, api};
use std::sync::Arc;

/// Options of `pull`.
#[derive(Default, Options)]
pub struct ImagePullOptions {
    /// Platform to choose: `linux/arm64`; this machine's without it.
    pub platform: Option<String>,
    /// Shows no progress.
    pub quiet: bool,
}

#[api]
impl Image {
    /// Fetches it from its registry, also when it is here already; gives the image.
    ///
    /// # Example (engine)
    /// image("node:18").pull();
    ///
    /// # Errors
    /// `not_found` for an unknown name or tag, `unauthorized` when credentials are missing, `network`, `corrupt` when
    /// a layer does not match its digest.
    pub fn pull(&self, call: &Call, options: ImagePullOptions) -> Result<Image> {
        let mut cx = call.context();
        if options.quiet {
            cx.progress = Arc::new(Silent);
        }
        let platform = options.platform.map(|platform| platform.parse()).transpose()?;
        call.engine()?.pull(&cx, self.reference(), &PullOptions { platform })?;
        Ok(Self::new(self.reference()))
    }
}
