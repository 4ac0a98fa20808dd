//! What this engine is and runs on.

use super::NativeEngine;
use crate::context::Context;
use crate::error::{IoContext, Result};
use crate::model::{ContainerFilter, ImageFilter};
use crate::{container, image};
use serde_json::{Value, json};

impl NativeEngine {
    pub(super) fn describe(&self, _cx: &Context) -> Result<Value> {
        let kernel = nix::sys::utsname::uname().doing(|| "cannot ask for the kernel's version")?;
        let all = ContainerFilter { all: true, ..ContainerFilter::default() };
        let containers = container::list(&self.store, &all)?;
        Ok(json!({
            "engine": "native",
            "version": env!("CARGO_PKG_VERSION"),
            "root": self.store.root(),
            "root_id": self.store.root_id(),
            "executable": std::env::current_exe().doing(|| "cannot find this program")?,
            "kernel": kernel.release().to_string_lossy(),
            "architecture": kernel.machine().to_string_lossy(),
            "storage": "overlay",
            "images": image::list(&self.store, &ImageFilter::default())?.len(),
            "containers": containers.len(),
            "running": containers.iter().filter(|container| container.status.is_alive()).count(),
        }))
    }
}
