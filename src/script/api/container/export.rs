//! `container.export_tar()`: all its files as a tar.

use super::Container;
use crate::error::{Error, IoContext, Result};
use crate::script::api::values::absolute;
use crate::script::binding::{Call, api};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::os::fd::AsFd;
use std::path::Path;

#[api]
impl Container {
    /// Writes all its files, those of the image and its changes as one tree, into a tar on this machine, relative to the
    /// script; `"-"` is standard output. What is mounted in it is left out. Gives the container.
    ///
    /// # Example (engine)
    /// container("web").export_tar("web.tar");
    ///
    /// # Errors
    /// `not_found` when the container or the folder of the tar is missing.
    pub fn export_tar(&self, call: &Call, path: String) -> Result<Container> {
        let engine = call.engine()?;
        let export = |output: &mut dyn Write| engine.export(&call.context(), self.reference(), output);
        if path == "-" {
            let doing = || "cannot write to standard output";
            let stdout = std::io::stdout();
            if std::io::IsTerminal::is_terminal(&stdout) {
                return Err(Error::invalid("a tar is not for a terminal").hint("redirect it: `… > web.tar`"));
            }
            // Its own descriptor: that of the standard library looks for the end of lines.
            let file = File::from(stdout.as_fd().try_clone_to_owned().doing(doing)?);
            let mut output = BufWriter::with_capacity(BUFFER, file);
            export(&mut output)?;
            output.flush().doing(doing)?;
        } else {
            write_whole(&absolute(call.session().folder(), &path), export)?;
        }
        Ok(Self::new(self.reference()))
    }
}

const BUFFER: usize = 1 << 17;

/// A file that is there once it is whole.
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
    let mut output = BufWriter::with_capacity(BUFFER, file);
    write(&mut output)?;
    let file = output.into_inner().map_err(std::io::IntoInnerError::into_error).doing(doing)?;
    // Temporary files are their owner's alone; this one is to be like any other.
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    file.as_file().set_permissions(permissions).doing(doing)?;
    file.persist(path).map(drop).map_err(|error| error.error).doing(doing)
}

#[cfg(test)]
mod tests {
    use crate::script::api::recording_engine::RecordingEngine;

    #[test]
    fn a_tar_is_there_once_it_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.tar");
        let engine = RecordingEngine::default();
        let export =
            |container: &str| engine.eval(&format!("container(`{container}`).export_tar(`{}`)", path.display()));
        assert!(export("missing").is_err());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        export("web").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"tar");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
