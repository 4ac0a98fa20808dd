//! Blobs that are complete, and wait for somebody to say whether they are wanted.

use super::blobs::settle;
use crate::error::{IoContext, Result};
use crate::model::Digest;
use std::fs::File;
use std::path::PathBuf;
use tempfile::TempPath;

/// A whole blob under a temporary name. Dropped before [`Self::commit`], it is gone.
pub struct ParkedBlob {
    pub(super) path: TempPath,
    pub(super) target: PathBuf,
    pub(super) digest: Digest,
    pub(super) size: u64,
}

impl ParkedBlob {
    /// What its bytes have.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Opens it for reading.
    pub fn open(&self) -> Result<File> {
        File::open(&self.path).doing(|| format!("cannot open blob `{}`", self.digest))
    }

    /// Makes it last, under its digest.
    pub fn commit(self) -> Result<Digest> {
        if !self.target.exists() {
            settle(&self.open()?, &self.path, &self.target)?;
            // The name is gone, so there is nothing for it to remove.
            let _ = self.path.keep();
        }
        Ok(self.digest)
    }
}
