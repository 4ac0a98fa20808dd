//! Which container engine the scripts talk to.

use super::arguments::Options;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::native::NativeEngine;
use crate::privilege;
use std::sync::Arc;

/// Opens the engine that the command line asks for.
pub fn open(options: &Options) -> Result<Arc<dyn Engine>> {
    if let Some(url) = &options.engine {
        return Err(Error::unsupported(format!("the engine `{url}` is not supported"))
            .hint("leave `--engine` and `SHANTY_ENGINE` out to use the embedded engine"));
    }
    Ok(Arc::new(NativeEngine::open(&options.root.clone().unwrap_or_else(privilege::default_root))?))
}
