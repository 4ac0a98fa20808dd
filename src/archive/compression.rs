//! How a layer is compressed, told from its first bytes: media types are not always true.

use crate::error::{Error, Result};
use flate2::bufread::MultiGzDecoder;
use std::io::{self, BufRead, BufReader, Read};

/// How a layer is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// A tar as it is.
    None,
    /// Gzip, also several members one after another.
    Gzip,
    /// Zstandard.
    Zstd,
}

/// Read from the network or disk at once.
const INPUT_BUFFER: usize = 1 << 18;

const MAGICS: [(&[u8], Option<Compression>, &str); 5] = [
    (b"\x1f\x8b", Some(Compression::Gzip), "gzip"),
    (b"\x28\xb5\x2f\xfd", Some(Compression::Zstd), "zstd"),
    (b"BZh", None, "bzip2"),
    (b"\xfd7zXZ\0", None, "xz"),
    (b"PK\x03\x04", None, "zip"),
];

impl Compression {
    /// Reads as much as is needed to tell.
    ///
    /// # Errors
    /// `unsupported` for compressions that images do not use.
    pub fn detect(start: &[u8]) -> Result<Self> {
        match MAGICS.iter().find(|(magic, ..)| start.starts_with(magic)) {
            None => Ok(Self::None),
            Some((_, Some(compression), _)) => Ok(*compression),
            Some((_, None, name)) => Err(Error::unsupported(format!("the archive is compressed with {name}"))
                .hint("compress it with gzip or zstd, or not at all")),
        }
    }
}

impl Compression {
    /// The OCI's media type of a layer that is compressed so.
    pub const fn layer_type(self) -> &'static str {
        match self {
            Self::None => "application/vnd.oci.image.layer.v1.tar",
            Self::Gzip => "application/vnd.oci.image.layer.v1.tar+gzip",
            Self::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
        }
    }
}

/// The uncompressed bytes of `source`.
pub fn decompress<'a>(source: impl Read + Send + 'a) -> Result<Box<dyn Read + Send + 'a>> {
    let mut source = Prefetched::new(BufReader::with_capacity(INPUT_BUFFER, source));
    let start = source.prefetch().map_err(|error| super::reader::failed(error, "cannot read the archive"))?;
    Ok(match Compression::detect(start)? {
        Compression::None => Box::new(source),
        Compression::Gzip => Box::new(MultiGzDecoder::new(source)),
        Compression::Zstd => {
            let decoder = zstd::stream::read::Decoder::with_buffer(source)
                .map_err(|error| super::reader::failed(error, "cannot read the archive"))?;
            Box::new(decoder)
        }
    })
}

/// The longest magic.
const MAGIC_BYTES: usize = 6;

/// A reader whose first bytes can be looked at, even when they arrive one by one.
struct Prefetched<R> {
    start: Vec<u8>,
    given: usize,
    rest: R,
}

impl<R: BufRead> Prefetched<R> {
    fn new(rest: R) -> Self {
        Self { start: Vec::new(), given: 0, rest }
    }

    fn prefetch(&mut self) -> io::Result<&[u8]> {
        self.rest.by_ref().take(MAGIC_BYTES as u64).read_to_end(&mut self.start)?;
        Ok(&self.start)
    }
}

impl<R: BufRead> Read for Prefetched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let count = available.len().min(buffer.len());
        buffer[..count].copy_from_slice(&available[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Prefetched<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.given < self.start.len() { Ok(&self.start[self.given..]) } else { self.rest.fill_buf() }
    }

    fn consume(&mut self, count: usize) {
        if self.given < self.start.len() {
            self.given += count;
        } else {
            self.rest.consume(count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use std::io::Write;

    /// Gives one byte at a time, as a bad network does.
    struct Slow<'a>(&'a [u8]);
    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.0.len().min(buffer.len()).min(1);
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    #[test]
    fn every_compression_is_recognised_and_undone() {
        let text = b"some text that is long enough".as_slice();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text).unwrap();
        let gzip = gzip.finish().unwrap();
        let two_members = [gzip.clone(), gzip.clone()].concat();
        for (packed, times) in
            [(text.to_vec(), 1), (gzip, 1), (two_members, 2), (zstd::encode_all(text, 1).unwrap(), 1)]
        {
            let mut plain = Vec::new();
            decompress(Slow(&packed)).unwrap().read_to_end(&mut plain).unwrap();
            assert_eq!(plain, text.repeat(times));
        }
        let error = decompress(Slow(b"BZh91AY")).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert_eq!(decompress(Slow(b"")).unwrap().read(&mut [0]).unwrap(), 0);
    }
}
