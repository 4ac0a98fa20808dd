//! A tar becomes a layer: compressed into a blob, hashed, unpacked.

use super::cache::BuiltLayer;
use crate::archive::{Compression, diff_id};
use crate::context::Context;
use crate::error::{IoContext, Result};
use crate::image::place_layer;
use crate::model::{Descriptor, Digest};
use crate::store::{Content, NewBlob};
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};
use std::io::{self, Cursor, Read, Write};

/// Of the layers that we write.
pub const MEDIA_TYPE: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// The diff id of a tar without members: two blocks of zeros.
const NOTHING: &str = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";

/// Makes a layer on top of `below` from the tar that `write` writes; none when nothing is in it.
pub fn from_tar(
    content: &Content<'_>,
    below: Option<&Digest>,
    cx: &Context,
    write: impl FnOnce(&mut dyn Write) -> Result<()>,
) -> Result<Option<BuiltLayer>> {
    // Level 1: what is built here is mostly run here, and who sends it far recompresses it.
    let compressor = GzEncoder::new(content.new_blob()?, flate2::Compression::fast());
    let mut output = Hashing { inner: compressor, hasher: Sha256::new() };
    write(&mut output)?;
    let blob = output.inner.finish().doing(|| "cannot compress a layer")?;
    let diff_id = Digest::from_sha256(&output.hasher.finalize());
    if diff_id.to_string() == NOTHING {
        return Ok(None);
    }
    place(content, below, diff_id, blob, MEDIA_TYPE, cx).map(Some)
}

/// Makes a layer on top of `below` from an archive as it is.
pub fn from_archive(
    content: &Content<'_>,
    below: Option<&Digest>,
    mut source: impl Read + Send,
    cx: &Context,
) -> Result<BuiltLayer> {
    let doing = || "cannot read the archive";
    let mut start = Vec::new();
    (&mut source).take(8).read_to_end(&mut start).doing(doing)?;
    let media_type = Compression::detect(&start)?.layer_type();
    let mut source = Cursor::new(start).chain(source);
    let mut blob = content.new_blob()?;
    let diff_id = diff_id(Copying { from: &mut source, to: &mut blob, cx })?;
    // What follows the compressed stream belongs to the blob too.
    io::copy(&mut Copying { from: &mut source, to: &mut blob, cx }, &mut io::sink()).doing(doing)?;
    place(content, below, diff_id, blob, media_type, cx)
}

fn place(
    content: &Content<'_>,
    below: Option<&Digest>,
    diff_id: Digest,
    blob: NewBlob,
    media_type: &str,
    cx: &Context,
) -> Result<BuiltLayer> {
    let size = blob.size();
    let digest = blob.commit()?;
    let layer = place_layer(content, below, &diff_id, &digest, cx)?;
    Ok(BuiltLayer { layer, blob: Descriptor { media_type: media_type.to_owned(), digest, size } })
}

struct Hashing<W> {
    inner: W,
    hasher: Sha256,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Writes down what is read.
struct Copying<'a, R> {
    from: &'a mut R,
    to: &'a mut NewBlob,
    cx: &'a Context,
}

impl<R: Read> Read for Copying<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.cx.check().map_err(io::Error::other)?;
        let count = self.from.read(buffer)?;
        self.to.write_all(&buffer[..count]).doing(|| "cannot store a layer").map_err(io::Error::other)?;
        Ok(count)
    }
}
