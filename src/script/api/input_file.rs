//! Where scripts read archives from: a file, or standard input.

use crate::context::Context;
use crate::error::{Error, IoContext, Result};
use crate::script::api::values::absolute;
use crate::script::binding::Call;
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::os::fd::AsFd;

/// Opens the file at `path`, relative to the script, or, for `"-"`, standard input.
///
/// # Errors
/// `invalid` when standard input is a terminal, or the path a folder.
pub fn open(call: &Call, path: &str) -> Result<Box<dyn Read + Send>> {
    if path != "-" {
        let path = absolute(call.session().folder(), path);
        let doing = || format!("cannot open `{}`", path.display());
        let file = File::open(&path).doing(doing)?;
        if file.metadata().doing(doing)?.is_dir() {
            return Err(Error::invalid(format!("`{}` is a folder", path.display())).hint("give the name of a file"));
        }
        return Ok(Box::new(Awaited { file, cx: call.context() }));
    }
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return Err(Error::invalid("standard input is a terminal").hint("give it an archive: `… < images.tar`"));
    }
    // Its own descriptor: that of the standard library has read ahead where somebody read a line.
    let file = File::from(stdin.as_fd().try_clone_to_owned().doing(|| "cannot read standard input")?);
    Ok(Box::new(Awaited { file, cx: call.context() }))
}

/// A file that may be a pipe in which nothing comes for long: waiting for it ends when the script has to.
struct Awaited {
    file: File,
    cx: Context,
}

impl Read for Awaited {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.cx.cancel.wait_readable(Some(self.file.as_fd()), None).map_err(io::Error::other)?;
        self.file.read(buffer)
    }
}
