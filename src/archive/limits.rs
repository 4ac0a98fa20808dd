//! How much an archive may hold.

/// What an archive may hold at most. The defaults are some ten times what the largest published images have.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Members.
    pub entries: u64,
    /// Bytes of all files together.
    pub bytes: u64,
    /// Bytes of all names together: they are kept until the folders' times are set.
    pub name_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 4_000_000, bytes: 1 << 40, name_bytes: 512 << 20 }
    }
}

/// Bytes of a name or a link target: the kernel's `PATH_MAX` without its zero byte.
pub const MAX_PATH: usize = 4095;
/// Bytes of one extended header: holds every attribute that ext4 or XFS can store for one file
/// (64 KiB a value), and two names.
pub const MAX_HEADER: u64 = 1 << 20;
/// Folders inside each other that are read from a file system: one descriptor each, beside the usual limit of 1024.
pub const MAX_DEPTH: usize = 400;
