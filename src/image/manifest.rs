//! Manifests of images that had none.

use crate::model::{Descriptor, Digest};
use serde_json::json;

/// Type of the manifests that are made here.
pub const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";

/// The manifest of an image with this config, of so many bytes, and these layers, the bottom one first.
pub fn write_manifest(config: &Digest, size: u64, layers: &[Descriptor]) -> Vec<u8> {
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": { "mediaType": CONFIG_TYPE, "digest": config, "size": size },
        "layers": layers,
    });
    manifest.to_string().into_bytes()
}
