//! Standard output.

use super::Destination;
use crate::error::{Error, IoContext, Result};
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;

/// What was written is gone: whoever reads it knows by the end of the archive whether it is whole.
pub struct StandardOutput(File);

impl StandardOutput {
    /// Its own descriptor: that of the standard library looks for the end of lines.
    pub fn open() -> Result<Self> {
        let stdout = io::stdout();
        if stdout.is_terminal() {
            return Err(Error::invalid("a backup is not for a terminal").hint("redirect it: `… > data.tar.zst`"));
        }
        let file = stdout.as_fd().try_clone_to_owned().doing(|| "cannot write to standard output")?;
        Ok(Self(File::from(file)))
    }
}

impl Write for StandardOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Destination for StandardOutput {
    fn commit(mut self: Box<Self>) -> Result<()> {
        self.flush().doing(|| "cannot write to standard output")
    }
}
