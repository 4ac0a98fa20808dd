//! `Image`: a name for an image, and what can be done with it. A file a verb.

mod containers;
mod exec;
mod history;
mod import;
mod inspect;
mod layout;
mod list;
mod load;
mod properties;
mod pull;
mod push;
mod remove;
mod run;
mod save;
mod shell;
mod tag;

use crate::engine::BuiltStep;
use crate::error::Result;
use crate::model::ImageInfo;
use crate::script::binding::{Call, Object, api};
use std::sync::Arc;

/// An image: a reference such as `node:18`, or an id. It is looked up when something is asked of it.
#[derive(Clone, Object)]
#[object(snapshot = Self::read_once)]
pub struct Image {
    reference: String,
    info: Option<Arc<ImageInfo>>,
    /// What was done to build it.
    steps: Arc<Vec<BuiltStep>>,
}

/// An image by its reference (`node:18`, `registry:5000/team/app@sha256:…`) or id; nothing is looked up yet.
///
/// # Example
/// let node = image("node:18");
#[api]
pub fn image(reference: String) -> Image {
    Image::new(reference)
}

impl Image {
    /// A handle to the image with this reference or id.
    pub fn new(reference: impl Into<String>) -> Self {
        Self { reference: reference.into(), info: None, steps: Arc::default() }
    }

    /// A handle to an image that was found: by its first name, else by its id.
    pub fn of(info: &ImageInfo) -> Self {
        Self::new(info.tags.first().cloned().unwrap_or_else(|| info.id.to_string()))
    }

    /// The same, with what was done to build it.
    pub fn built(self, steps: Vec<BuiltStep>) -> Self {
        Self { steps: Arc::new(steps), ..self }
    }

    /// What was done to build it; nothing when this script has not.
    pub fn build_steps(&self) -> &[BuiltStep] {
        &self.steps
    }

    /// What it was named by.
    pub fn reference(&self) -> &str {
        &self.reference
    }

    fn info(&self, call: &Call) -> Result<Arc<ImageInfo>> {
        match &self.info {
            Some(info) => Ok(info.clone()),
            None => call.engine()?.image(&call.context(), &self.reference).map(Arc::new),
        }
    }

    /// The same with its state read once, for showing many properties.
    fn read_once(&self, call: &Call) -> Result<Self> {
        Ok(Self { info: Some(self.info(call)?), ..self.clone() })
    }
}
