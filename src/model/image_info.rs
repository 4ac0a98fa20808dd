//! What is known about an image.

use super::{Digest, Platform};
use serde::Serialize;
use std::collections::BTreeMap;

/// An image of the store.
#[derive(Clone, Debug, Serialize)]
pub struct ImageInfo {
    /// Digest of its config: what `docker images` shows as the image id.
    pub id: Digest,
    /// Digest of its manifest as it was pulled, or as it was built.
    pub digest: Digest,
    /// Its names, in familiar form (`node:18`).
    pub tags: Vec<String>,
    /// `name@sha256:…` under which it can be pulled again.
    pub repo_digests: Vec<String>,
    /// Bytes of all its layers, unpacked.
    pub size: u64,
    /// When it was built, as its config says.
    pub created: Option<jiff::Timestamp>,
    /// What it runs on.
    pub platform: Platform,
    /// Labels of its config.
    pub labels: BTreeMap<String, String>,
    /// `K=V` lines of its config.
    pub env: Vec<String>,
    /// Default arguments.
    pub cmd: Vec<String>,
    /// Default program.
    pub entrypoint: Vec<String>,
    /// Default working directory; empty: `/`.
    pub workdir: String,
    /// Default user; empty: root.
    pub user: String,
    /// Ports it says it listens on, such as `80/tcp`.
    pub ports: Vec<String>,
    /// Diff ids of its layers, bottom first.
    pub layers: Vec<Digest>,
}
