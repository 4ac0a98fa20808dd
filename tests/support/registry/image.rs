//! Small images, made in memory.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use shanty::model::{Descriptor, Digest};
use std::io::Write;

/// A manifest with its config and layers.
#[derive(Clone)]
pub struct Image {
    pub config: Vec<u8>,
    /// As they are stored: compressed.
    pub layers: Vec<Vec<u8>>,
    pub manifest: Vec<u8>,
    pub media_type: &'static str,
}

impl Image {
    /// An OCI image whose layers are these tars, compressed with gzip.
    pub fn new(tars: &[Vec<u8>]) -> Self {
        let diff_ids: Vec<String> = tars.iter().map(|tar| digest(tar).to_string()).collect();
        let config = json!({
            "architecture": "amd64", "os": "linux",
            "config": {"Cmd": ["/bin/true"], "Env": ["PATH=/bin"]},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        });
        let layers: Vec<Vec<u8>> = tars.iter().map(|tar| gzip(tar)).collect();
        let config = config.to_string().into_bytes();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": describe("application/vnd.oci.image.config.v1+json", &config),
            "layers": layers.iter()
                .map(|layer| describe("application/vnd.oci.image.layer.v1.tar+gzip", layer))
                .collect::<Vec<Value>>(),
        });
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        Self { config, layers, manifest: manifest.to_string().into_bytes(), media_type }
    }

    /// An image of one layer with these files.
    pub fn of_files(files: &[(&str, &[u8])]) -> Self {
        Self::new(&[tar_of(files)])
    }

    /// The same in Docker's format.
    pub fn into_docker(mut self) -> Self {
        let text = String::from_utf8(self.manifest).unwrap();
        let media_type = "application/vnd.docker.distribution.manifest.v2+json";
        let text = text
            .replace("application/vnd.oci.image.manifest.v1+json", media_type)
            .replace("application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json")
            .replace(
                "application/vnd.oci.image.layer.v1.tar+gzip",
                "application/vnd.docker.image.rootfs.diff.tar.gzip",
            );
        self.manifest = text.into_bytes();
        self.media_type = media_type;
        self
    }

    /// Every blob: config and layers.
    pub fn blobs(&self) -> impl Iterator<Item = &Vec<u8>> {
        std::iter::once(&self.config).chain(&self.layers)
    }

    /// Digest of the manifest.
    pub fn digest(&self) -> Digest {
        digest(&self.manifest)
    }

    /// Descriptor of a layer.
    pub fn layer(&self, number: usize) -> Descriptor {
        let bytes = &self.layers[number];
        let media_type = "application/vnd.oci.image.layer.v1.tar+gzip".to_owned();
        Descriptor { media_type, digest: digest(bytes), size: bytes.len() as u64 }
    }
}

/// A tar of regular files.
/// A tar with these files.
pub fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, path, *content).unwrap();
    }
    tar.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn describe(media_type: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": digest(bytes).to_string(), "size": bytes.len()})
}

pub(super) fn digest(bytes: &[u8]) -> Digest {
    Digest::from_sha256(&Sha256::digest(bytes))
}
