//! `image.remove()`.

use super::Image;
use crate::error::{ErrorKind, Result};
use crate::model;
use crate::script::binding::{Call, Object, Options, api};
use std::sync::Arc;

/// Options of `remove`.
#[derive(Default, Options)]
pub struct ImageRemoveOptions {
    /// Also takes an id that has several names, and an image that containers use which do not run; those stay.
    pub force: bool,
    /// Succeeds when it is not here.
    pub missing_ok: bool,
}

/// What `remove` took away.
#[derive(Clone, Object)]
pub struct ImageRemoval(Arc<model::ImageRemoval>);

#[api]
impl ImageRemoval {
    /// Names that were taken away: `["node:18"]`.
    #[get(column)]
    pub fn untagged(&self) -> Vec<String> {
        self.0.untagged.clone()
    }

    /// Ids of images that went, each followed by the chain ids of its layers that went with it.
    #[get(column, shown = ids)]
    pub fn deleted(&self) -> Vec<String> {
        self.0.deleted.clone()
    }

    /// Bytes of the files that went.
    #[get(column, shown = crate::script::api::shown::size)]
    pub fn freed(&self) -> u64 {
        self.0.freed
    }
}

#[api]
impl Image {
    /// Takes its name away; with its last name the image goes, and parents that only it needed. By id, the image goes. What
    /// was built on it keeps it, without a name. Gives what went: `.untagged`, `.deleted`, `.freed`.
    ///
    /// # Example (engine)
    /// for name in image("node:18").remove(#{ missing_ok: true }).untagged { print(`untagged ${name}`) }
    ///
    /// # Errors
    /// `not_found` when it is not here; `conflict` when an id has several names or a container uses it, unless `force` is
    /// set; and when a container runs from it or an image was made from it.
    pub fn remove(&self, call: &Call, options: ImageRemoveOptions) -> Result<ImageRemoval> {
        match call.engine()?.remove_image(&call.context(), self.reference(), options.force) {
            Err(error) if options.missing_ok && error.is(ErrorKind::NotFound) => Ok(ImageRemoval(Arc::default())),
            removal => removal.map(|removal| ImageRemoval(Arc::new(removal))),
        }
    }
}

/// Short ids on one line.
fn ids(value: &rhai::Dynamic) -> String {
    let ids = value.clone().into_array().unwrap_or_default();
    ids.iter().map(crate::script::api::shown::id).collect::<Vec<_>>().join(", ")
}
