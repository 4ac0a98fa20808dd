//! Compression on the way to a destination.

use super::Destination;
use crate::error::{Error, IoContext, Result};
use crate::script::binding::{FromScript, Refusal};
use flate2::write::GzEncoder;
use rhai::Dynamic;
use std::io::{self, Write};
use zstd::stream::write::Encoder;

/// How a backup is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Zstandard, on all processors.
    Zstd,
    /// Gzip.
    Gzip,
    /// Not at all.
    None,
}

/// More threads than this have nothing to do: reading the files is slower then.
const MOST_WORKERS: u32 = 4;
/// Zstandard's own default.
const LEVEL: i32 = 3;

impl Compression {
    /// What the end of a name says; else Zstandard.
    pub fn of_name(name: &str) -> Self {
        let name = name.strip_suffix(".age").unwrap_or(name);
        match name.rsplit('.').next().unwrap_or_default() {
            "gz" | "tgz" => Self::Gzip,
            "tar" => Self::None,
            _ => Self::Zstd,
        }
    }
}

impl FromScript for Compression {
    fn type_name() -> String {
        "\"zstd\", \"gzip\", \"none\" or bool".to_owned()
    }

    fn accepts(value: &Dynamic) -> bool {
        value.is_string() || value.is_bool()
    }

    fn from_script(value: Dynamic) -> Result<Self, Refusal> {
        match value.to_string().as_str() {
            "zstd" | "zst" | "true" => Ok(Self::Zstd),
            "gzip" | "gz" => Ok(Self::Gzip),
            "none" | "false" => Ok(Self::None),
            other => Err(Error::invalid(format!("`{other}` is no compression"))
                .hint("it is one of `zstd`, `gzip`, `none`")
                .into()),
        }
    }
}

/// A destination that compresses what it gives to another one.
pub fn compress(destination: Box<dyn Destination>, how: Compression) -> Result<Box<dyn Destination>> {
    let doing = || "cannot compress";
    match how {
        Compression::None => Ok(destination),
        Compression::Gzip => Ok(Box::new(GzEncoder::new(destination, flate2::Compression::default()))),
        Compression::Zstd => {
            let mut encoder = Encoder::new(destination, LEVEL).doing(doing)?;
            encoder.include_checksum(true).doing(doing)?;
            let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
            encoder.multithread(u32::try_from(processors).unwrap_or(1).min(MOST_WORKERS)).doing(doing)?;
            Ok(Box::new(Zstd(encoder)))
        }
    }
}

impl Destination for GzEncoder<Box<dyn Destination>> {
    fn commit(self: Box<Self>) -> Result<()> {
        (*self).finish().doing(|| "cannot compress")?.commit()
    }
}

struct Zstd(Encoder<'static, Box<dyn Destination>>);

impl Write for Zstd {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Destination for Zstd {
    fn commit(self: Box<Self>) -> Result<()> {
        self.0.finish().doing(|| "cannot compress")?.commit()
    }
}
