//! A step by which an image came to be.

use serde::Serialize;

/// A line of `docker history`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HistoryEntry {
    /// Id of the image that ended with this step; `<missing>` when it is not here.
    pub id: String,
    /// When it was made, if it says so.
    pub created: Option<jiff::Timestamp>,
    /// The command or instruction.
    pub created_by: String,
    /// Bytes of its layer, unpacked; 0 without one.
    pub size: u64,
    /// What its author wrote about it.
    pub comment: String,
    /// Who made it.
    pub author: String,
    /// Names of the image of this step.
    pub tags: Vec<String>,
    /// Whether it changed only the config.
    pub empty_layer: bool,
}
