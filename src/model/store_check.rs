//! What is wrong in a store.

use serde::Serialize;

/// What a check found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct StoreCheck {
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// Images that were looked at.
    pub images: usize,
    /// Layers that were compared with their blobs.
    pub layers: usize,
    /// Blobs that were read.
    pub blobs: usize,
    /// Bytes of those.
    pub bytes: u64,
    /// Somebody added content, so that files without rows were not looked for.
    pub busy: bool,
}

impl StoreCheck {
    /// Whether nothing is wrong any more.
    pub fn is_healthy(&self) -> bool {
        self.findings.iter().all(|finding| finding.repaired)
    }
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which kind of damage.
    pub kind: Damage,
    /// The digest, name or id that it is about.
    pub what: String,
    /// What is wrong with it.
    pub detail: String,
    /// What would repair it, was done, or why it was not.
    pub repair: String,
    /// Whether it was repaired.
    pub repaired: bool,
}

/// Kinds of damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Damage {
    /// A row refers to what is not there.
    StaleRow,
    /// The rows of an image are not what its config says.
    ImageRows,
    /// A container was made from an image that is not here.
    ContainerWithoutImage,
    /// A blob that an image needs is not there.
    BlobMissing,
    /// A blob does not match its digest.
    BlobDamaged,
    /// A layer that an image needs is not there.
    LayerMissing,
    /// The files of a layer are not those of its blob.
    LayerDamaged,
    /// The row of a layer says something else than its blob.
    LayerRow,
    /// A blob or layer that belongs to nothing.
    Orphan,
}

impl Damage {
    /// The name that scripts see.
    pub const fn name(self) -> &'static str {
        match self {
            Self::StaleRow => "stale_row",
            Self::ImageRows => "image_rows",
            Self::ContainerWithoutImage => "container_without_image",
            Self::BlobMissing => "blob_missing",
            Self::BlobDamaged => "blob_damaged",
            Self::LayerMissing => "layer_missing",
            Self::LayerDamaged => "layer_damaged",
            Self::LayerRow => "layer_row",
            Self::Orphan => "orphan",
        }
    }
}
