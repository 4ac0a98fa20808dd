//! Image indexes and manifest lists: which of the manifests is for a platform.

use super::bounded::Bounded;
use super::manifest::{DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, broken};
use crate::error::{Error, Result};
use crate::model::{Digest, Platform};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The largest published indexes have some dozens, each perhaps with an attestation.
const MAX_ENTRIES: usize = 1024;
/// Of the platforms that there are, so many are named.
const MAX_NAMED: usize = 12;

/// The manifests of one image for several platforms.
#[derive(Debug)]
pub struct Index {
    /// In the order of the document.
    pub entries: Vec<Entry>,
}

/// One manifest of an index.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    #[serde(default)]
    media_type: String,
    /// Of the manifest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// What it is for; `None` when the index does not say.
    pub platform: Option<Platform>,
    /// Such as the name of the image.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

impl Index {
    /// Reads an index of at most 1024 manifests.
    pub fn parse(body: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Body {
            manifests: Bounded<Entry, MAX_ENTRIES>,
        }
        let body: Body = serde_json::from_slice(body).map_err(|error| broken("index", &error))?;
        Ok(Self { entries: body.manifests.0 })
    }

    /// The best manifest for the platform; of equally good ones the first, as the specification has it.
    pub fn choose(&self, wanted: &Platform) -> Result<&Entry> {
        let images: Vec<&Entry> = self.entries.iter().filter(|entry| entry.is_image()).collect();
        let ranked = images.iter().filter_map(|entry| match &entry.platform {
            Some(platform) => suitability(platform, wanted).map(|rank| (rank, *entry)),
            // A manifest that names no platform is for the only one there is.
            None => (images.len() == 1).then_some((u8::MAX, *entry)),
        });
        ranked.min_by_key(|(rank, _)| *rank).map(|(_, entry)| entry).ok_or_else(|| none_for(wanted, &images))
    }
}

impl Entry {
    /// Attestations sit among the images, for the platform `unknown/unknown`.
    fn is_image(&self) -> bool {
        [OCI_MANIFEST, DOCKER_MANIFEST, ""].contains(&self.media_type.as_str()) && self.is_no_attestation()
    }

    /// Whether it leads to another index.
    pub fn is_index(&self) -> bool {
        [OCI_INDEX, DOCKER_LIST].contains(&self.media_type.as_str()) && self.is_no_attestation()
    }

    /// Whether it is, or leads to, an image.
    pub fn is_no_attestation(&self) -> bool {
        let attestation = self.annotations.contains_key("vnd.docker.reference.digest");
        let unknown = self.platform.as_ref().is_some_and(|platform| platform.os == "unknown");
        !attestation && !unknown
    }
}

/// How far down the list of what `wanted` can run `offered` is; `None` when it cannot run it.
fn suitability(offered: &Platform, wanted: &Platform) -> Option<u8> {
    if offered.os != wanted.os || offered.architecture != wanted.architecture {
        return None;
    }
    match (level(offered), level(wanted)) {
        // A processor runs what was made for an earlier version of it.
        (Some(offered), Some(wanted)) => wanted.checked_sub(offered),
        _ => (variant(offered) == variant(wanted)).then_some(0),
    }
}

fn variant(platform: &Platform) -> Option<&str> {
    platform.variant.as_deref().filter(|variant| !variant.is_empty())
}

/// The number of the variant; what no variant means is containerd's rule (`platforms/database.go`).
fn level(platform: &Platform) -> Option<u8> {
    let default = match platform.architecture.as_str() {
        "amd64" => "v1",
        "arm" => "v7",
        "arm64" => "v8",
        _ => return None,
    };
    variant(platform).unwrap_or(default).strip_prefix('v')?.parse().ok()
}

fn none_for(wanted: &Platform, images: &[&Entry]) -> Error {
    let mut names: Vec<String> = images.iter().filter_map(|entry| entry.platform.as_ref()).map(printable).collect();
    names.dedup();
    let more = names.len().saturating_sub(MAX_NAMED);
    names.truncate(MAX_NAMED);
    let error = Error::not_found(format!("the image is not made for {wanted}"));
    match names.first() {
        None => error.hint("its index names no image at all"),
        Some(first) => {
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            error.hint(format!(
                "it is made for {}{more}; choose one with `.pull(#{{ platform: \"{first}\" }})`",
                names.join(", ")
            ))
        }
    }
}

fn printable(platform: &Platform) -> String {
    platform.to_string().chars().filter(|c| !c.is_control()).take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    /// An index of these platforms; the digest of each is its number.
    fn index(platforms: &[&str]) -> Index {
        let entries = platforms.iter().enumerate().map(|(number, platform)| {
            let platform = match *platform {
                "-" => String::new(),
                text => format!(r#", "platform": {}"#, serde_json::to_string(&raw(text)).unwrap()),
            };
            format!(r#"{{"mediaType": "{OCI_MANIFEST}", "digest": "sha256:{number:064}", "size": 7{platform}}}"#)
        });
        let json = format!(r#"{{"manifests": [{}]}}"#, entries.collect::<Vec<_>>().join(","));
        Index::parse(json.as_bytes()).unwrap()
    }

    /// As indexes write it, without our normalisation.
    fn raw(text: &str) -> Platform {
        let mut parts = text.split('/').map(str::to_owned);
        Platform { os: parts.next().unwrap(), architecture: parts.next().unwrap(), variant: parts.next() }
    }

    #[test]
    fn the_best_variant_wins() {
        let cases: &[(&[&str], &str, usize)] = &[
            (&["linux/arm64", "linux/amd64"], "linux/amd64", 1),
            (&["windows/amd64", "linux/amd64", "linux/amd64"], "linux/amd64", 1),
            (&["unknown/unknown", "linux/amd64"], "linux/amd64", 1),
            (&["linux/arm/v5", "linux/arm/v6", "linux/arm64/v8"], "linux/arm/v7", 1),
            (&["linux/arm/v5", "linux/arm/v7"], "linux/arm/v6", 0),
            (&["linux/arm/v6", "linux/arm"], "linux/arm/v7", 1),
            (&["linux/arm64/v8"], "linux/arm64", 0),
            (&["linux/arm64"], "linux/arm64/v8", 0),
            (&["linux/amd64/v3", "linux/amd64/v2", "linux/amd64"], "linux/amd64", 2),
            (&["linux/amd64", "linux/amd64/v2", "linux/amd64/v4"], "linux/amd64/v3", 1),
            (&["linux/s390x", "linux/riscv64"], "linux/riscv64", 1),
            (&["-"], "linux/amd64", 0),
        ];
        for (offered, wanted, expected) in cases {
            let index = index(offered);
            let chosen = index.choose(&wanted.parse().unwrap()).expect(wanted);
            assert_eq!(chosen.digest.hex(), format!("{expected:064}"), "{offered:?} for {wanted}");
        }
    }

    #[test]
    fn without_a_fitting_manifest_the_error_names_what_there_is() {
        for (offered, wanted) in [
            (&["linux/arm/v7", "windows/amd64"][..], "linux/amd64"),
            (&["linux/arm/v7"], "linux/arm/v6"),
            (&["linux/amd64/v2"], "linux/amd64"),
            (&["-", "linux/arm64"], "linux/amd64"),
        ] {
            let error = index(offered).choose(&wanted.parse().unwrap()).expect_err(wanted);
            assert!(error.is(ErrorKind::NotFound));
            assert!(error.hint_text().unwrap().contains(offered[offered.len() - 1]), "{error:?}");
        }
    }

    #[test]
    fn attestations_are_no_images() {
        let json = format!(
            r#"{{"manifests": [{{"digest": "sha256:{:064}", "size": 1,
                "platform": {{"os": "linux", "architecture": "amd64"}},
                "annotations": {{"vnd.docker.reference.digest": "sha256:0"}}}}]}}"#,
            0
        );
        let index = Index::parse(json.as_bytes()).unwrap();
        assert!(index.choose(&"linux/amd64".parse().unwrap()).is_err());
    }
}
