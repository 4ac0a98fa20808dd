//! Where backups go and where they come from: a file, standard output and input, a bucket that speaks S3, another host.
//!
//! A [`Destination`] takes bytes, and nothing that it has looks like a backup until [`Destination::commit`]. What changes the
//! bytes on their way is a destination around another one, as [`compress`] is. Each kind of [`Place`] has a file or a folder.

mod background;
mod compression;
mod encryption;
mod file;
mod item;
mod location;
mod options;
mod place;
mod s3;
mod ssh;
mod stdout;

pub use background::in_background;
pub use compression::{Compression, compress};
pub use options::TargetOptions;

use crate::error::Result;
use crate::script::binding::Call;
use place::Place;
use std::io::{Read, Write};

/// Takes a backup.
pub trait Destination: Write + Send {
    /// Makes what was written last, under its name. Dropped without it, there is no backup, and one of that name that was there
    /// before is there still.
    fn commit(self: Box<Self>) -> Result<()>;
}

/// Opens what `text` names, encrypted where the options ask for it: a path, relative to the script, `s3://bucket/key`,
/// `ssh://[user@]host[:port]/path`, or `-` for standard output.
///
/// # Errors
/// `not_found` when the folder is missing, `invalid` when it is a folder or a terminal.
pub fn open_destination(call: &Call, text: &str, options: &TargetOptions) -> Result<Box<dyn Destination>> {
    encryption::encrypted(Place::parse(call, text, options)?.create(call)?, options)
}

/// Opens what `text` names for reading, decrypted when it is encrypted: as for [`open_destination`], `-` is standard input.
///
/// # Errors
/// `not_found`, `invalid` when it is a folder or a terminal, `unauthorized` without the key.
pub fn open_source(call: &Call, text: &str, options: &TargetOptions) -> Result<Box<dyn Read + Send>> {
    encryption::decrypted(call, Place::parse(call, text, options)?.open(call)?, text, options)
}
