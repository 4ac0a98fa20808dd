//! Images in files: how they are written, loaded and imported.

use super::Platform;

/// How images are written into an archive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ArchiveFormat {
    /// An OCI image layout with Docker's `manifest.json` beside it, as Docker 25 and later write: every engine reads it.
    #[default]
    Docker,
    /// An OCI image layout alone.
    Oci,
}

/// How a tar of a file system becomes an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportSpec {
    /// Name of the image; `None`: it has its id only.
    pub reference: Option<String>,
    /// Lines of a Dockerfile that say how containers of it run.
    pub changes: Vec<String>,
    /// What its history says; `None`: where it came from.
    pub message: Option<String>,
    /// What it runs on; `None`: this machine's.
    pub platform: Option<Platform>,
    /// Where the tar came from: a URL, or `-`.
    pub source: String,
}
