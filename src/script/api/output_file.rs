//! Where scripts write archives: a file that is there once it is whole, or standard output.

use crate::error::{Error, IoContext, Result};
use crate::script::api::values::absolute;
use crate::script::binding::Call;
use std::fs::{self, File};
use std::io::{BufWriter, IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::Path;

const BUFFER: usize = 1 << 17;

/// Calls `write` with the file at `path`, relative to the script, or, for `"-"`, with standard output. `name` is an example
/// for the hint.
pub fn write_to(call: &Call, path: &str, name: &str, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    if path != "-" {
        return write_whole(&absolute(call.session().folder(), path), write);
    }
    let doing = || "cannot write to standard output";
    let stdout = std::io::stdout();
    if stdout.is_terminal() {
        return Err(Error::invalid("a tar is not for a terminal").hint(format!("redirect it: `… > {name}`")));
    }
    // Its own descriptor: that of the standard library looks for the end of lines.
    let file = File::from(stdout.as_fd().try_clone_to_owned().doing(doing)?);
    let mut output = BufWriter::with_capacity(BUFFER, file);
    write(&mut output)?;
    output.flush().doing(doing)
}

fn write_whole(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let doing = || format!("cannot write `{}`", path.display());
    if path.is_dir() {
        return Err(Error::invalid(format!("`{}` is a folder", path.display())).hint("give the name of a file"));
    }
    // What is no regular file, such as a pipe, cannot be replaced, only written to.
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        let mut output = BufWriter::with_capacity(BUFFER, File::options().write(true).open(path).doing(doing)?);
        write(&mut output)?;
        return output.flush().doing(doing);
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    let file = tempfile::Builder::new().prefix(".shanty-").tempfile_in(folder).doing(doing)?;
    // The file itself: an error of a named one has lost its number, and with it the hint.
    let mut output = BufWriter::with_capacity(BUFFER, file.as_file());
    write(&mut output)?;
    output.flush().doing(doing)?;
    drop(output);
    // Temporary files are their owner's alone; this one is to be like any other.
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    file.as_file().set_permissions(permissions).doing(doing)?;
    file.persist(path).map(drop).map_err(|error| error.error).doing(doing)
}
