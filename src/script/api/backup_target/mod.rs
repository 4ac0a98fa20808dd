//! Where backups go and where they come from.
//!
//! A [`Destination`] takes bytes, and nothing that it has looks like a backup until [`Destination::commit`]. What changes the
//! bytes on their way is a destination around another one, as [`compress`] is.

mod background;
mod compression;
mod file;
mod stdout;

pub use background::in_background;
pub use compression::{Compression, compress};

use crate::error::Result;
use crate::script::api::input_file;
use crate::script::api::values::absolute;
use crate::script::binding::Call;
use std::io::{Read, Write};

/// Takes a backup.
pub trait Destination: Write + Send {
    /// Makes what was written last, under its name. Dropped without it, there is no backup, and one of that name that was there
    /// before is there still.
    fn commit(self: Box<Self>) -> Result<()>;
}

/// Opens what `text` names: a path, relative to the script, or `-` for standard output.
///
/// # Errors
/// `not_found` when the folder is missing, `invalid` when it is a folder or a terminal.
pub fn open_destination(call: &Call, text: &str) -> Result<Box<dyn Destination>> {
    if text == "-" {
        return Ok(Box::new(stdout::StandardOutput::open()?));
    }
    file::open(&absolute(call.session().folder(), text))
}

/// Opens what `text` names for reading: a path, relative to the script, or `-` for standard input.
///
/// # Errors
/// `not_found`, and `invalid` when it is a folder or a terminal.
pub fn open_source(call: &Call, text: &str) -> Result<Box<dyn Read + Send>> {
    input_file::open(call, text)
}
