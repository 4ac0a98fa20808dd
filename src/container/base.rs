//! What containers are made from.

use crate::image::RunnableImage;
use crate::model::{Digest, HealthcheckSpec, Secret};
use oci_spec::image::ImageConfiguration;
use oci_spec::runtime::Mount;
use std::path::{Path, PathBuf};

/// An image, or the layers of one that is being built.
#[derive(Clone, Copy, Debug)]
pub struct Base<'a> {
    /// The image, which stays as long as the container does; `None`: it is being built.
    pub image: Option<&'a Digest>,
    /// How it wants to be run.
    pub config: &'a ImageConfiguration,
    /// How its health is checked, unless the container says it.
    pub health: Option<&'a HealthcheckSpec>,
    /// Unpacked layers, the topmost first.
    pub layers: &'a [PathBuf],
    /// Where changes go, and the work folder beside it; `None`: into the container's folder.
    pub changes: Option<(&'a Path, &'a Path)>,
    /// What else is mounted.
    pub mounts: &'a [Mount],
    /// Environment that is in no file and no database.
    pub secret_env: &'a [(String, Secret)],
}

impl<'a> From<&'a RunnableImage> for Base<'a> {
    fn from(image: &'a RunnableImage) -> Self {
        Self {
            image: Some(&image.id),
            config: &image.config,
            health: image.health.as_ref(),
            layers: &image.layers,
            changes: None,
            mounts: &[],
            secret_env: &[],
        }
    }
}
