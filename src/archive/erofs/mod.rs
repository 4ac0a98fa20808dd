//! An EROFS index over a tar: a mountable layer of which no file was written.
//!
//! The index holds inodes and folders in blocks of 512 bytes, as a tar has them; the data of files stays where it is
//! in the tar, which the kernel takes as a second device (kernel, erofs.rst; `erofs_fs.h`). It is made of the same
//! members, by the same rules, as a folder that is unpacked into, and always the same for the same tar.

mod acl;
mod image;
mod nodes;
mod resolve;
mod xattrs;

pub use nodes::Index;

use super::limits::Limits;
use super::pipeline::inflate;
use super::reader::TarReader;
use super::recording::Recording;
use super::unpack::{Unpacked, fill};
use crate::context::Context;
use crate::error::Result;
use std::fs::File;
use std::io::Read;

/// Keeps `source`, compressed or not, as a tar in the empty file `tar`, and makes an index over it; `None` when the
/// archive holds what an index cannot, and has to be unpacked. All of `source` is read.
///
/// # Errors
/// As [`super::unpack`].
pub fn keep(source: impl Read + Send, tar: &File, limits: &Limits, cx: &Context) -> Result<(Unpacked, Option<Index>)> {
    let ((size, entries, index), diff_id) = inflate(source, |chunks| {
        let mut reader = TarReader::new(Recording::new(chunks, tar), limits);
        let mut index = Index::new();
        let (size, entries) = fill(&mut index, &mut reader, cx)?;
        let blocks = reader.drain()?.finish();
        Ok((size, entries, index.fit(blocks)))
    })?;
    Ok((Unpacked { diff_id, size, entries }, index))
}
