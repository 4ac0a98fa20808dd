//! What came of removing an image.

use serde::{Deserialize, Serialize};

/// What went away: the lines of `docker rmi`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRemoval {
    /// Names that were taken away, in familiar form: `node:18`, `node@sha256:…`.
    pub untagged: Vec<String>,
    /// Ids of images, each followed by the chain ids of layers that went with it.
    pub deleted: Vec<String>,
    /// Bytes of the files that went: layers as they were unpacked, and blobs.
    pub freed: u64,
}

impl ImageRemoval {
    /// Takes in what more went away.
    pub fn extend(&mut self, more: Self) {
        self.untagged.extend(more.untagged);
        self.deleted.extend(more.deleted);
        self.freed += more.freed;
    }
}
