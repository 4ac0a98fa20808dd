//! A damaged blob, out of the way until a whole one is in its place.

use super::{Content, layout};
use crate::error::{IoContext, Result};
use crate::model::Digest;
use std::fs;
use std::io;
use std::path::PathBuf;

/// Dropped, the blob is back, unless another one has taken its place: then it is gone. The guard of the content that made it
/// keeps sweeps away from it.
pub struct Aside<'a> {
    _content: &'a Content<'a>,
    from: PathBuf,
    to: PathBuf,
}

impl Content<'_> {
    /// Takes a blob out of its place; one that is not there leaves nothing to bring back.
    pub fn put_aside(&self, digest: &Digest) -> Result<Aside<'_>> {
        let from = self.store.blob_path(digest);
        let to = self.store.root.join(layout::PARTIAL_BLOBS).join(format!("damaged-{}", digest.hex()));
        match fs::rename(&from, &to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            renamed => renamed.doing(|| format!("cannot move `{}`", from.display()))?,
        }
        Ok(Aside { _content: self, from, to })
    }
}

impl Drop for Aside<'_> {
    fn drop(&mut self) {
        // A link, unlike a rename, never replaces what is there.
        match fs::hard_link(&self.to, &self.from) {
            Err(error) if !matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound) => {
                tracing::warn!(path = %self.to.display(), %error, "a damaged blob could not be put back");
            }
            _ => drop(fs::remove_file(&self.to)),
        }
    }
}
