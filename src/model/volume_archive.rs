//! Backups of volumes.

use serde::Serialize;

/// What of a volume is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportVolumeSpec {
    /// Patterns of what is left out: `*.log`, `cache/*`, `/tmp`.
    pub exclude: Vec<String>,
}

/// How a volume is read from an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportVolumeSpec {
    /// What the volume holds is replaced; else it must be empty or missing.
    pub replace: bool,
    /// The archive must end with a record of what is in it, and that must be true.
    pub verify: bool,
}

/// What is in an archive of a volume, as its end says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct VolumeArchive {
    /// Files, folders and all else.
    pub entries: u64,
    /// Bytes of the tar.
    pub bytes: u64,
    /// SHA-256 of those, in hexadecimal digits.
    pub sha256: String,
}
