//! What takes space in a root: `docker system df`.

use serde::Serialize;

/// What takes space.
#[derive(Clone, Debug, Default, Serialize)]
pub struct DiskUsage {
    /// Images: their layers, unpacked, and their blobs.
    pub images: Usage<ImageUsage>,
    /// Containers: what they changed, and their logs.
    pub containers: Usage<ContainerUsage>,
    /// Volumes.
    pub volumes: Usage<VolumeUsage>,
    /// What builds keep to be faster.
    pub build_cache: Usage<CacheUsage>,
    /// Bytes of the layers of images, unpacked, and of their copies for containers with other ids.
    pub layers_size: u64,
    /// Bytes of the blobs of images.
    pub blobs_size: u64,
}

/// What one kind of thing takes.
#[derive(Clone, Debug, Serialize)]
pub struct Usage<T> {
    /// How many there are.
    pub count: usize,
    /// How many of them are used: images by containers, containers that run, volumes by containers, steps by images.
    pub active: usize,
    /// Bytes.
    pub size: u64,
    /// Bytes that would go if all that is not used went.
    pub reclaimable: u64,
    /// Each of them.
    pub items: Vec<T>,
}

impl<T> Default for Usage<T> {
    fn default() -> Self {
        Self { count: 0, active: 0, size: 0, reclaimable: 0, items: Vec::new() }
    }
}

/// An image.
#[derive(Clone, Debug, Serialize)]
pub struct ImageUsage {
    /// Its id.
    pub id: String,
    /// Its names.
    pub tags: Vec<String>,
    /// When it was built.
    pub created: jiff::Timestamp,
    /// Bytes of its layers.
    pub size: u64,
    /// Bytes of those that other images have too.
    pub shared_size: u64,
    /// Bytes of those that only it has.
    pub unique_size: u64,
    /// Containers made from it.
    pub containers: usize,
}

/// A container.
#[derive(Clone, Debug, Serialize)]
pub struct ContainerUsage {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: String,
    /// Its state.
    pub status: String,
    /// When it was made.
    pub created: jiff::Timestamp,
    /// Bytes of what it changed, and of its logs.
    pub size: u64,
}

/// A volume.
#[derive(Clone, Debug, Serialize)]
pub struct VolumeUsage {
    /// Its name.
    pub name: String,
    /// Containers that have it.
    pub containers: usize,
    /// Bytes of its files.
    pub size: u64,
}

/// A step of a build.
#[derive(Clone, Debug, Serialize)]
pub struct CacheUsage {
    /// Its key.
    pub id: String,
    /// What it did.
    pub step: String,
    /// Bytes of its layer.
    pub size: u64,
    /// Whether an image has that layer too.
    pub shared: bool,
    /// When it was made.
    pub created: Option<jiff::Timestamp>,
    /// When a build used it last.
    pub used: Option<jiff::Timestamp>,
    /// How often.
    pub uses: u64,
}
