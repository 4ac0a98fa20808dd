//! `image.history()`.

use super::Image;
use crate::error::Result;
use crate::model;
use crate::script::binding::{Call, Object, api};
use std::sync::Arc;

/// A step by which an image came to be.
#[derive(Clone, Object)]
pub struct HistoryEntry(Arc<model::HistoryEntry>);

#[api]
impl HistoryEntry {
    /// Id of the image that ended with this step; `<missing>` when it is not here.
    #[get(column, shown = crate::script::api::shown::id)]
    pub fn id(&self) -> String {
        self.0.id.clone()
    }

    /// When it was made; `()` when it does not say.
    #[get(column)]
    pub fn created(&self) -> Option<jiff::Timestamp> {
        self.0.created
    }

    /// The command or instruction.
    #[get(column)]
    pub fn created_by(&self) -> String {
        self.0.created_by.clone()
    }

    /// Bytes of its layer, unpacked; 0 without one.
    #[get(column, shown = crate::script::api::shown::size)]
    pub fn size(&self) -> u64 {
        self.0.size
    }

    /// What its author wrote about it.
    #[get(column)]
    pub fn comment(&self) -> String {
        self.0.comment.clone()
    }

    /// Who made it.
    #[get]
    pub fn author(&self) -> String {
        self.0.author.clone()
    }

    /// Names of the image of this step.
    #[get]
    pub fn tags(&self) -> Vec<String> {
        self.0.tags.clone()
    }

    /// Whether it changed only the config.
    #[get]
    pub fn empty_layer(&self) -> bool {
        self.0.empty_layer
    }
}

#[api]
impl Image {
    /// How it came to be, as `docker history` shows it: a step each, the newest first, with `id`, `created`, `created_by`,
    /// `size`, `comment`, `author`, `tags`, `empty_layer`.
    ///
    /// # Example (engine)
    /// for step in image("node:18").history() { print(`${step.size} ${step.created_by}`) }
    ///
    /// # Errors
    /// `not_found` when the image is not here.
    pub fn history(&self, call: &Call) -> Result<Vec<HistoryEntry>> {
        let found = call.engine()?.image_history(&call.context(), self.reference())?;
        Ok(found.into_iter().map(|entry| HistoryEntry(Arc::new(entry))).collect())
    }
}
