//! Reads the log of a container, which its monitor writes in Docker's json-file format.

mod backward;
mod entry;
mod files;
mod follow;

pub use crate::runtime::log::FILE_NAME;
pub use follow::read;

use crate::error::{IoContext, Result};
use files::Files;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The last bytes of a log as its files have them, at most so many; `None` when there is no log.
pub fn end_of(path: &Path, bytes: u64) -> Result<Option<Vec<u8>>> {
    let doing = || "cannot read the end of the log";
    let Some(files) = Files::open(path).doing(doing)? else { return Ok(None) };
    let mut left = bytes;
    let mut pieces = Vec::new();
    for segment in files.segments.iter().rev() {
        let size = segment.file.metadata().doing(doing)?.len();
        let mut piece = vec![0; size.min(left) as usize];
        segment.file.read_exact_at(&mut piece, size.saturating_sub(left)).doing(doing)?;
        left -= piece.len() as u64;
        pieces.push(piece);
    }
    pieces.reverse();
    Ok(Some(pieces.concat()))
}
