//! What is fuzzed: a function a target, which takes any bytes and panics when a property does not hold.
//!
//! The layers are in `bodies/layers.rs`, backups in `bodies/backups.rs`, what a person or an engine configures in `bodies/files.rs`,
//! what a container asks for names in `bodies/names.rs`, Dockerfiles in `bodies/dockerfiles.rs`.

mod backups;
mod dockerfiles;
mod files;
mod layers;
mod names;

pub use backups::backup;
pub use dockerfiles::{dockerfile, dockerignore, expansion};
pub use files::{bundle, credentials, registries_conf};
pub use layers::{layer, members};
pub use names::dns_query;

use shanty::error::{Error, ErrorKind};
use shanty::image::{Summary, healthcheck, parse_config, write_manifest};
use shanty::model::{Descriptor, Platform, Reference};
use shanty::registry::{ImageDocument, MAX_LAYERS, parts, read_document};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// A folder of its own: below `SHANTY_FUZZ_SCRATCH`, for which `tests/run --fuzz` mounts a file system in memory.
fn scratch() -> TempDir {
    let parent = std::env::var_os("SHANTY_FUZZ_SCRATCH").map_or_else(|| "/var/tmp".into(), PathBuf::from);
    tempfile::tempdir_in(parent).unwrap()
}

/// Refused as what it is, and not for a reason that the input cannot give.
fn assert_kind(error: &Error, kinds: &[ErrorKind]) {
    assert!(kinds.contains(&error.kind()), "{:?}: {error}", error.kind());
}

/// What is taken for a reference prints, and reads again as the same one; it holds the limits and nothing that could
/// leave a path, a URL or a line.
pub fn reference(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let reference: Reference = match text.parse() {
        Ok(reference) => reference,
        Err(error) => return assert_kind(&error, &[ErrorKind::Invalid]),
    };
    let again = |text: &str| text.parse::<Reference>().unwrap_or_else(|error| panic!("`{text}`: {error}"));
    assert_eq!(again(&reference.to_string()), reference, "`{reference}`");
    assert_eq!(again(&reference.canonical()), reference, "`{}`", reference.canonical());
    assert!(reference.tag().is_some() != reference.digest().is_some());
    assert!(reference.repository().len() <= 255 && reference.tag().is_none_or(|tag| tag.len() <= 128));
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:/[]@".contains(&byte);
    assert!(reference.canonical().bytes().all(safe), "`{reference}`");
    let is_name = |part: &str| !part.is_empty() && !part.starts_with('.');
    assert!(reference.repository().split('/').all(is_name), "`{reference}`");
    let digest = shanty::model::Digest::from_sha256(&[7; 32]);
    let pinned = reference.at(digest);
    assert_eq!(again(&pinned.to_string()), pinned);
}

/// A manifest or an index that is accepted is one of the two under every name, and holds the limits.
pub fn manifest(data: &[u8]) {
    let kinds = [ErrorKind::Corrupt, ErrorKind::Unsupported];
    let read = |media_type| match read_document(media_type, data) {
        Ok(document) => Some(document),
        Err(error) => {
            assert_kind(&error, &kinds);
            None
        }
    };
    let [plain, as_manifest, as_index] = [None, Some(OCI_MANIFEST), Some(OCI_INDEX)].map(read);
    // CVE-2021-41190: two images under one digest.
    assert!(as_manifest.is_none() || as_index.is_none());
    match parts(data) {
        Ok(parts) => {
            let Some(ImageDocument::Manifest { config, layers }) = plain else { panic!("a manifest is no document") };
            assert_eq!((&parts.config, &parts.layers), (&config, &layers));
            assert!(layers.len() <= MAX_LAYERS);
            let known = |descriptor: &Descriptor| descriptor.media_type.starts_with("application/vnd.");
            assert!(known(&config) && layers.iter().all(known));
            let ours = shanty::registry::parts(&write_manifest(&config.digest, config.size, &layers)).unwrap();
            assert_eq!((ours.config.media_type.as_str(), ours.layers), (OCI_CONFIG, layers));
        }
        Err(error) => {
            assert_kind(&error, &kinds);
            assert!(!matches!(plain, Some(ImageDocument::Manifest { .. })), "{error}");
        }
    }
    if let Some(ImageDocument::Index(index)) = as_index {
        assert!(index.entries.len() <= 1024);
        for platform in ["linux/amd64", "linux/arm/v7", "linux/arm64"] {
            let wanted: Platform = platform.parse().unwrap();
            match index.choose(&wanted) {
                Ok(entry) => {
                    assert!(entry.is_no_attestation() && !entry.is_index());
                    assert!(entry.platform.as_ref().is_none_or(|offered| offered.os == "linux"));
                }
                Err(error) => {
                    assert_kind(&error, &[ErrorKind::NotFound]);
                    let hint = error.hint_text().unwrap();
                    assert!(hint.len() < 2000 && !hint.contains(char::is_control), "{hint:?}");
                }
            }
        }
    }
}

/// A config that is accepted can be listed, kept in a row, and written again as the same.
pub fn image_config(data: &[u8]) {
    let config = match parse_config(data) {
        Ok(config) => config,
        Err(error) => return assert_kind(&error, &[ErrorKind::Corrupt]),
    };
    let summary = Summary::of(&config).unwrap();
    assert_eq!(summary.layers.len(), config.rootfs().diff_ids().len());
    assert_eq!(Summary::from_json(Some(&summary.to_json().unwrap())), Some(summary));
    // As values: maps have no order.
    let value = serde_json::to_value(&config).unwrap();
    assert_eq!(serde_json::to_value(parse_config(&serde_json::to_vec(&value).unwrap()).unwrap()).unwrap(), value);
    if let Err(error) = healthcheck(data) {
        assert_kind(&error, &[ErrorKind::Corrupt]);
    }
}

/// Writes `text` where it can be read from.
fn write(folder: &Path, name: &str, text: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}
