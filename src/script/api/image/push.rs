//! `image.push()`.

use super::Image;
use crate::context::Silent;
use crate::error::Result;
use crate::script::binding::{Call, Options, api};
use std::sync::Arc;

/// Options of `push`.
#[derive(Default, Options)]
pub struct ImagePushOptions {
    /// Name to push it to, in place of its own: `registry:5000/team/app:v1`.
    pub to: Option<String>,
    /// Shows no progress.
    pub quiet: bool,
}

#[api]
impl Image {
    /// Sends it to the registry of its name, or of `to`; gives the digest under which it is there, `sha256:…`. What the
    /// registry has is not sent again.
    ///
    /// # Example (engine)
    /// let digest = image("app:v1").push(#{ to: "registry.example/team/app:v1" });
    ///
    /// # Errors
    /// `not_found` when it is not here, `unauthorized` when credentials are missing, `denied` when they do not suffice,
    /// `network`.
    pub fn push(&self, call: &Call, options: ImagePushOptions) -> Result<String> {
        let mut cx = call.context();
        if options.quiet {
            cx.progress = Arc::new(Silent);
        }
        Ok(call.engine()?.push(&cx, self.reference(), options.to.as_deref())?.to_string())
    }
}
