//! Files of this machine, and standard output.

use super::Destination;
use super::item::Item;
use crate::error::{Error, IoContext, Result};
use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

const BUFFER: usize = 1 << 17;
/// What unfinished files are called: they are nobody's backups.
const UNFINISHED: &str = ".shanty-";

/// A file that gets its name when it is whole and on the disk.
pub enum FileDestination {
    /// A temporary file beside it.
    Regular(BufWriter<NamedTempFile>, PathBuf),
    /// What is no regular file, such as a pipe, cannot be replaced, only written to.
    Other(BufWriter<File>, PathBuf),
}

impl FileDestination {
    /// Starts to write it; its folder exists.
    pub fn create(path: &Path) -> Result<Self> {
        let doing = || format!("cannot write `{}`", path.display());
        if path.is_dir() {
            return Err(Error::invalid(format!("`{}` is a folder", path.display())).hint("give the name of a file"));
        }
        if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
            let file = File::options().write(true).open(path).doing(doing)?;
            return Ok(Self::Other(BufWriter::with_capacity(BUFFER, file), path.to_owned()));
        }
        let folder = path.parent().unwrap_or(Path::new("/"));
        // It holds what a volume holds, so it stays its owner's alone.
        let file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder).doing(doing)?;
        Ok(Self::Regular(BufWriter::with_capacity(BUFFER, file), path.to_owned()))
    }
}

impl Write for FileDestination {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Regular(file, _) => file.write(bytes),
            Self::Other(file, _) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Regular(file, _) => file.flush(),
            Self::Other(file, _) => file.flush(),
        }
    }
}

impl Destination for FileDestination {
    fn commit(self: Box<Self>) -> Result<()> {
        match *self {
            Self::Other(mut file, path) => file.flush().doing(|| format!("cannot write `{}`", path.display())),
            Self::Regular(file, path) => {
                let doing = || format!("cannot write `{}`", path.display());
                let file = file.into_inner().map_err(io::IntoInnerError::into_error).doing(doing)?;
                file.as_file().set_permissions(fs::Permissions::from_mode(0o600)).doing(doing)?;
                // Before it has its name: a loss of power must not leave a name without the content.
                file.as_file().sync_all().doing(doing)?;
                file.persist(&path).map_err(|error| error.error).doing(doing)?;
                let folder = path.parent().unwrap_or(Path::new("/"));
                File::open(folder).and_then(|folder| folder.sync_all()).doing(doing)
            }
        }
    }
}

/// Standard output, which nobody can take back.
struct Output(BufWriter<File>);

/// Starts to write to standard output.
pub fn standard_output() -> Result<Box<dyn Destination>> {
    let stdout = io::stdout();
    if stdout.is_terminal() {
        return Err(Error::invalid("an archive is not for a terminal").hint("redirect it: `… > volume.tar`"));
    }
    // Its own descriptor: that of the standard library looks for the end of lines.
    let file = File::from(stdout.as_fd().try_clone_to_owned().doing(|| "cannot write to standard output")?);
    Ok(Box::new(Output(BufWriter::with_capacity(BUFFER, file))))
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Destination for Output {
    fn commit(mut self: Box<Self>) -> Result<()> {
        self.0.flush().doing(|| "cannot write to standard output")
    }
}

/// The files in a folder.
pub fn list(folder: &Path) -> Result<Vec<Item>> {
    let doing = || format!("cannot list `{}`", folder.display());
    let mut items = Vec::new();
    for entry in fs::read_dir(folder).doing(doing)? {
        let entry = entry.doing(doing)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // It may be gone by now.
        let Ok(metadata) = entry.path().metadata() else { continue };
        if metadata.is_file() && !name.starts_with(UNFINISHED) {
            let modified = jiff::Timestamp::new(metadata.mtime(), metadata.mtime_nsec() as i32).ok();
            items.push(Item { name, size: metadata.len(), modified });
        }
    }
    Ok(items)
}

/// Removes a file.
pub fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.doing(|| format!("cannot remove `{}`", path.display())),
    }
}
