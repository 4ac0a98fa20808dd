//! The config of an image: the JSON whose digest is the image's id.

use crate::error::{Error, Result};
use crate::model::{Digest, HealthcheckSpec};
use crate::store::Store;
use oci_spec::image::ImageConfiguration;
use serde::Deserialize;
use std::time::Duration;

const HEALTHCHECK: &[u8] = br#""Healthcheck""#;

/// Bytes of a config: the registry's limit for a manifest, which the largest known configs stay far below.
pub const MAX_CONFIG: u64 = 4 << 20;

/// Reads and verifies the config of an image of the store.
///
/// # Errors
/// `corrupt` when it does not match its digest, or is no config.
pub fn read_config(store: &Store, id: &Digest) -> Result<ImageConfiguration> {
    parse_config(&store.read_blob(id, MAX_CONFIG)?)
}

/// The same, and the health check in it, which the OCI's format does not know.
pub fn read_config_and_health(store: &Store, id: &Digest) -> Result<(ImageConfiguration, Option<HealthcheckSpec>)> {
    let bytes = store.read_blob(id, MAX_CONFIG)?;
    Ok((parse_config(&bytes)?, healthcheck(&bytes)?))
}

/// Docker's `config.Healthcheck`: times are nanoseconds, and zero stands for the default.
pub fn healthcheck(config: &[u8]) -> Result<Option<HealthcheckSpec>> {
    #[derive(Deserialize)]
    struct Config {
        config: Option<Inner>,
    }
    #[derive(Deserialize)]
    struct Inner {
        #[serde(rename = "Healthcheck")]
        healthcheck: Option<Healthcheck>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase", default)]
    #[derive(Default)]
    struct Healthcheck {
        test: Option<Vec<String>>,
        interval: u64,
        timeout: u64,
        start_period: u64,
        start_interval: u64,
        retries: u32,
    }
    // Most images have none: they are read only once.
    if !config.windows(HEALTHCHECK.len()).any(|bytes| bytes == HEALTHCHECK) {
        return Ok(None);
    }
    let config: Config = serde_json::from_slice(config)
        .map_err(|error| Error::corrupt(format!("the image's health check cannot be read: {error}")))?;
    let time = |nanoseconds: u64| (nanoseconds > 0).then(|| Duration::from_nanos(nanoseconds));
    Ok(config.config.and_then(|config| config.healthcheck).map(|check| HealthcheckSpec {
        test: check.test.unwrap_or_default(),
        interval: time(check.interval),
        timeout: time(check.timeout),
        retries: (check.retries > 0).then_some(check.retries),
        start_period: time(check.start_period),
        start_interval: time(check.start_interval),
    }))
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
