//! How much space there is, for whoever has filled the disk.

use super::{Store, layout};
use crate::error::Error;
use crate::model::{Digest, size};
use nix::sys::statvfs::statvfs;
use std::fs;

impl Store {
    /// Says how much is free, once what was half made is gone, and how much is needed: at least so many bytes more than
    /// what is here, or 0 where that is not known. Other errors stay as they are.
    pub fn explain_full_disk(&self, error: Error, needed: u64) -> Error {
        if !error.is_full_disk() {
            return error;
        }
        let Ok(found) = statvfs(&self.root) else { return error };
        let free = found.blocks_available().saturating_mul(found.fragment_size());
        let has = size::format(free);
        error.with_space(&if needed > free {
            format!("it needs at least {}, {has} are free", size::format(needed))
        } else {
            format!("it needs more than the {has} that are free")
        })
    }

    /// Bytes of a blob that are not here, of so many.
    pub fn missing_bytes(&self, digest: &Digest, size: u64) -> u64 {
        if self.has_blob(digest) {
            return 0;
        }
        let partial = self.root.join(layout::PARTIAL_BLOBS).join(digest.hex());
        size.saturating_sub(fs::metadata(partial).map_or(0, |found| found.len()))
    }
}
