//! Whether a file is an archive that `ADD` unpacks.

use super::header::BLOCK;
use crate::error::{Error, IoContext, Result};
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

/// How a tar is compressed, where layers need not be: of a file of the user's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Not at all.
    Plain,
    /// Gzip.
    Gzip,
    /// Zstandard.
    Zstd,
    /// Bzip2.
    Bzip2,
    /// Xz.
    Xz,
}

const MAGICS: [(&[u8], Kind); 4] =
    [(b"\x1f\x8b", Kind::Gzip), (b"\x28\xb5\x2f\xfd", Kind::Zstd), (b"BZh", Kind::Bzip2), (b"\xfd7zXZ\0", Kind::Xz)];

impl Kind {
    /// What a file is, by its content and not by its name; `None`: no tar.
    pub fn of(path: &Path) -> Result<Option<Self>> {
        let doing = || format!("cannot read `{}`", path.display());
        let file = File::open(path).doing(doing)?;
        let mut start = Vec::new();
        (&file).take(8).read_to_end(&mut start).doing(doing)?;
        let kind = MAGICS.iter().find(|(magic, _)| start.starts_with(magic)).map_or(Self::Plain, |(_, kind)| *kind);
        (&file).rewind().doing(doing)?;
        let mut block = Vec::new();
        // What cannot be inflated is no archive: it is copied as it is.
        let read = kind.reader(file).and_then(|reader| reader.take(BLOCK as u64).read_to_end(&mut block));
        let is_tar = read.is_ok() && is_header(&block);
        Ok(is_tar.then_some(kind))
    }

    /// Opens it: the bytes of the tar.
    pub fn open(self, path: &Path) -> Result<Box<dyn Read + Send>> {
        let doing = || format!("cannot read `{}`", path.display());
        self.reader(File::open(path).doing(doing)?).doing(doing)
    }

    fn reader(self, file: File) -> std::io::Result<Box<dyn Read + Send>> {
        let input = BufReader::with_capacity(1 << 18, file);
        Ok(match self {
            Self::Plain => Box::new(input),
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(input)),
            Self::Zstd => Box::new(zstd::Decoder::with_buffer(input)?),
            Self::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(input)),
            Self::Xz => Box::new(lzma_rust2::XzReader::new(input, true)),
        })
    }
}

/// Whether a block is the first header of a tar: its checksum is right.
fn is_header(block: &[u8]) -> bool {
    let Ok(bytes) = <&[u8; BLOCK]>::try_from(block) else { return false };
    let mut header = tar::Header::new_old();
    header.as_mut_bytes().copy_from_slice(bytes);
    let sum: u32 =
        bytes.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) }).sum();
    block.iter().any(|byte| *byte != 0) && header.cksum().is_ok_and(|stored| stored == sum)
}

/// Unpacks it into a folder, which exists and is empty.
pub fn extract(kind: Kind, path: &Path, folder: &Path, cx: &crate::context::Context) -> Result<()> {
    let source = kind.open(path)?;
    super::restore::restore_plain(source, folder, cx)
        .map_err(|error: Error| error.context(format!("unpacking `{}`", path.display())))
}
