//! Image manifests: OCI and Docker schema 2.

use super::bounded::Bounded;
use super::index::Index;
use crate::error::{Error, Result};
use crate::model::Descriptor;
use serde::Deserialize;
use serde::de::IgnoredAny;

pub(super) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(super) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(super) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const SCHEMA_1: &str = "application/vnd.docker.distribution.manifest.v1";

/// What a registry may answer, most wanted first.
pub(super) const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json";

/// overlayfs stacks at most 500 lower layers (`OVL_MAX_STACK`).
pub const MAX_LAYERS: usize = 500;

const CONFIGS: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];
const LAYERS: [&str; 6] = [
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd",
];

/// What a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Manifest,
    Index,
}

/// Tells a manifest from an index, and gives the media type. Header and body must agree: a document
/// that can be read as either could mean two images under one digest (CVE-2021-41190).
pub(super) fn kind(header: Option<&str>, body: &[u8]) -> Result<(Kind, String)> {
    let head: Head = serde_json::from_slice(body).map_err(|error| broken("manifest", &error))?;
    let header = header.and_then(|header| header.split(';').next()).map(str::trim);
    let header = header.filter(|header| header.starts_with("application/vnd."));
    let declared = head.media_type.as_deref().filter(|declared| !declared.is_empty());
    if head.schema_version == Some(1) || header.or(declared).is_some_and(|name| name.starts_with(SCHEMA_1)) {
        return Err(Error::unsupported("the image is in Docker's schema 1, which has been out of use since 2017")
            .hint("push it again with a current tool"));
    }
    if let (Some(header), Some(declared)) = (header, declared)
        && header != declared
    {
        return Err(Error::corrupt(format!("the manifest is said to be a `{header}` and calls itself `{declared}`")));
    }
    let shape = match (head.manifests.is_some(), head.layers.is_some() || head.config.is_some()) {
        (true, true) => return Err(Error::corrupt("the document is both a manifest and an index")),
        (true, false) => OCI_INDEX,
        (false, _) => OCI_MANIFEST,
    };
    let name = declared.or(header).unwrap_or(shape);
    let kind = match name {
        OCI_MANIFEST | DOCKER_MANIFEST => Kind::Manifest,
        OCI_INDEX | DOCKER_LIST => Kind::Index,
        other => {
            return Err(Error::unsupported(format!("it is a `{other}`, which is no container image")));
        }
    };
    if (kind == Kind::Index) != (shape == OCI_INDEX) {
        return Err(Error::corrupt(format!("a `{name}` lacks what belongs into it")));
    }
    Ok((kind, name.to_owned()))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    schema_version: Option<u32>,
    media_type: Option<String>,
    manifests: Option<IgnoredAny>,
    layers: Option<IgnoredAny>,
    config: Option<IgnoredAny>,
}

/// Config and layers of an image.
#[derive(Debug)]
pub(super) struct Manifest {
    pub(super) config: Descriptor,
    pub(super) layers: Vec<Descriptor>,
}

impl Manifest {
    pub(super) fn parse(body: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Body {
            config: Descriptor,
            layers: Bounded<Descriptor, MAX_LAYERS>,
        }
        let Body { config, layers: Bounded(layers) } =
            serde_json::from_slice(body).map_err(|error| broken("manifest", &error))?;
        if !CONFIGS.contains(&config.media_type.as_str()) {
            return Err(Error::unsupported(format!(
                "it is no container image: its config is a `{}`",
                config.media_type
            )));
        }
        if let Some(layer) = layers.iter().find(|layer| !LAYERS.contains(&layer.media_type.as_str())) {
            let foreign = layer.media_type.contains("foreign") || layer.media_type.contains("nondistributable");
            let error = Error::unsupported(format!(
                "layer `{}` is a `{}`, which cannot be unpacked",
                layer.digest.short(),
                layer.media_type
            ));
            return Err(if foreign { error.hint("foreign layers are parts of Windows images") } else { error });
        }
        Ok(Self { config, layers })
    }
}

/// What a manifest or an index says.
#[derive(Debug)]
pub enum ImageDocument {
    /// One image; its layers are at most [`MAX_LAYERS`], and of types that can be unpacked.
    Manifest {
        /// Of a type that is a container image's.
        config: Descriptor,
        /// The bottom one first.
        layers: Vec<Descriptor>,
    },
    /// Manifests for several platforms.
    Index(Index),
}

/// Reads a manifest or an index; `media_type` is what is said about it elsewhere.
pub fn read_document(media_type: Option<&str>, body: &[u8]) -> Result<ImageDocument> {
    match kind(media_type, body)?.0 {
        Kind::Manifest => {
            Manifest::parse(body).map(|Manifest { config, layers }| ImageDocument::Manifest { config, layers })
        }
        Kind::Index => Index::parse(body).map(ImageDocument::Index),
    }
}

/// What a manifest of the store consists of.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The manifest's own media type.
    pub media_type: String,
    /// The image's config.
    pub config: Descriptor,
    /// Its layers, bottom first.
    pub layers: Vec<Descriptor>,
}

/// Reads a manifest that was pulled or built.
///
/// # Errors
/// `unsupported` and `corrupt`, as when it is pulled.
pub fn parts(manifest: &[u8]) -> Result<Parts> {
    let (kind, media_type) = kind(None, manifest)?;
    if kind == Kind::Index {
        return Err(Error::corrupt("an index is where the image's manifest should be"));
    }
    let Manifest { config, layers } = Manifest::parse(manifest)?;
    Ok(Parts { media_type, config, layers })
}

pub(super) fn broken(what: &str, why: &serde_json::Error) -> Error {
    Error::corrupt(format!("the image has a broken {what}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn descriptor(media_type: &str) -> String {
        format!(r#"{{"mediaType": "{media_type}", "digest": "sha256:{HEX}", "size": 1}}"#)
    }

    fn manifest(config: &str, layers: &[&str]) -> Vec<u8> {
        let layers: Vec<String> = layers.iter().map(|layer| descriptor(layer)).collect();
        format!(r#"{{"schemaVersion": 2, "config": {}, "layers": [{}]}}"#, descriptor(config), layers.join(","))
            .into_bytes()
    }

    #[test]
    fn the_kind_is_in_the_header_the_body_or_the_shape() {
        let cases = [
            (Some(DOCKER_LIST), r#"{"manifests": []}"#, Kind::Index, DOCKER_LIST),
            (
                Some("application/vnd.oci.image.manifest.v1+json; charset=utf-8"),
                r#"{"layers": []}"#,
                Kind::Manifest,
                OCI_MANIFEST,
            ),
            (Some("text/plain"), r#"{"layers": []}"#, Kind::Manifest, OCI_MANIFEST),
            (None, r#"{"manifests": []}"#, Kind::Index, OCI_INDEX),
            (
                Some("application/json"),
                r#"{"mediaType": "application/vnd.docker.distribution.manifest.v2+json", "layers": []}"#,
                Kind::Manifest,
                DOCKER_MANIFEST,
            ),
        ];
        for (header, body, expected, media_type) in cases {
            assert_eq!(kind(header, body.as_bytes()).unwrap(), (expected, media_type.to_owned()), "{header:?} {body}");
        }
    }

    #[test]
    fn documents_that_are_refused() {
        let schema_1 = "application/vnd.docker.distribution.manifest.v1+prettyjws";
        let cases = [
            (Some(schema_1), "{}", ErrorKind::Unsupported),
            (None, r#"{"schemaVersion": 1, "fsLayers": []}"#, ErrorKind::Unsupported),
            (Some("application/vnd.example.thing"), "{}", ErrorKind::Unsupported),
            (Some(OCI_INDEX), r#"{"layers": []}"#, ErrorKind::Corrupt),
            (Some(OCI_MANIFEST), r#"{"manifests": []}"#, ErrorKind::Corrupt),
            (Some(OCI_INDEX), r#"{"manifests": [], "layers": []}"#, ErrorKind::Corrupt),
            (
                Some(OCI_INDEX),
                r#"{"mediaType": "application/vnd.oci.image.manifest.v1+json", "manifests": []}"#,
                ErrorKind::Corrupt,
            ),
            (None, "<html>", ErrorKind::Corrupt),
        ];
        for (header, body, expected) in cases {
            let error = kind(header, body.as_bytes()).expect_err(body);
            assert_eq!(error.kind(), expected, "{header:?} {body}: {error}");
        }
    }

    #[test]
    fn types_that_cannot_be_run_or_unpacked_are_named() {
        assert!(Manifest::parse(&manifest(CONFIGS[0], &LAYERS)).is_ok());
        for (config, layer) in [
            ("application/vnd.cncf.helm.config.v1+json", LAYERS[0]),
            (CONFIGS[1], "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"),
            (CONFIGS[1], "application/x-unknown"),
        ] {
            let error = Manifest::parse(&manifest(config, &[layer])).expect_err(layer);
            assert!(error.is(ErrorKind::Unsupported));
            assert!(error.message().contains(config) || error.message().contains(layer), "{error}");
        }
    }

    #[test]
    fn broken_descriptors_are_corrupt() {
        let good = String::from_utf8(manifest(CONFIGS[0], &[LAYERS[0]])).unwrap();
        for (from, to) in [("sha256:e3b", "sha256:E3b"), ("\"size\": 1", "\"size\": -1"), ("layers", "layer")] {
            let error = Manifest::parse(good.replace(from, to).as_bytes()).expect_err(to);
            assert!(error.is(ErrorKind::Corrupt), "{error}");
        }
        let many = vec![LAYERS[0]; MAX_LAYERS + 1];
        assert!(Manifest::parse(&manifest(CONFIGS[0], &many)).expect_err("too many").is(ErrorKind::Corrupt));
    }
}
