//! The config of an image: the JSON whose digest is the image's id.

use crate::error::{Error, Result};
use crate::model::Digest;
use crate::store::Store;
use oci_spec::image::ImageConfiguration;

/// Bytes of a config: the registry's limit for a manifest, which the largest known configs stay far below.
pub const MAX_CONFIG: u64 = 4 << 20;

/// Reads and verifies the config of an image of the store.
///
/// # Errors
/// `corrupt` when it does not match its digest, or is no config.
pub fn read_config(store: &Store, id: &Digest) -> Result<ImageConfiguration> {
    parse_config(&store.read_blob(id, MAX_CONFIG)?)
}

/// Reads a config and checks what everything else relies on.
pub fn parse_config(bytes: &[u8]) -> Result<ImageConfiguration> {
    let config: ImageConfiguration = serde_json::from_slice(bytes)
        .map_err(|error| Error::corrupt(format!("the image's config cannot be read: {error}")))?;
    for diff_id in config.rootfs().diff_ids() {
        diff_id
            .parse::<Digest>()
            .map_err(|error| error.as_kind(crate::error::ErrorKind::Corrupt).context("the image's config"))?;
    }
    Ok(config)
}
