//! Content descriptors: what a manifest says about a config or a layer.

use super::Digest;
use serde::{Deserialize, Serialize};

/// Points at a blob, as the OCI image specification has it (`descriptor.md`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Such as `application/vnd.oci.image.layer.v1.tar+gzip`.
    pub media_type: String,
    /// Digest of the bytes as they are stored and sent.
    pub digest: Digest,
    /// Size of those bytes.
    pub size: u64,
}
