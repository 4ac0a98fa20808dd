//! A file: without a name until it is whole and on the disk, so that not even `kill -9` leaves a part of one.

use super::Destination;
use super::item::Item;
use crate::error::{Error, IoContext, Result};
use crate::sys::writeback;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, open as open_at};
use nix::sys::stat::Mode;
use nix::unistd::linkat;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use tempfile::TempPath;

/// For who makes it alone: it holds what was readable for root only.
const MODE: Mode = Mode::S_IRUSR.union(Mode::S_IWUSR);

/// What files are called that are not whole yet: they are nobody's backups.
const UNFINISHED: &str = ".shanty-";
/// After so many bytes the disk is set to work: what is left for the sync at the end is short.
const WRITEBACK: usize = 8 << 20;

/// Opens the file at a path.
pub fn open(path: &Path) -> Result<Box<dyn Destination>> {
    let doing = || format!("cannot write `{}`", path.display());
    if path.is_dir() {
        return Err(Error::invalid(format!("`{}` is a folder", path.display())).hint("give the name of a file"));
    }
    // What is no regular file, such as a pipe, cannot be replaced, only written to.
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return Ok(Box::new(Special {
            file: File::options().write(true).open(path).doing(doing)?,
            path: path.to_owned(),
        }));
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    let (file, temporary) = match open_at(folder, OFlag::O_TMPFILE | OFlag::O_RDWR | OFlag::O_CLOEXEC, MODE) {
        Ok(file) => (File::from(file), None),
        // Some file systems have no files without a name.
        Err(Errno::EOPNOTSUPP | Errno::EISDIR) => {
            let named = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder).doing(doing)?;
            let (file, name) = named.into_parts();
            (file, Some(name))
        }
        Err(errno) => return Err(errno).doing(doing),
    };
    Ok(Box::new(Whole { file, temporary, path: path.to_owned(), waiting: 0 }))
}

/// A regular file.
struct Whole {
    file: File,
    /// Its name until it is whole, where it needs one.
    temporary: Option<TempPath>,
    path: PathBuf,
    /// Bytes since the disk was set to work.
    waiting: usize,
}

impl Write for Whole {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.waiting += count;
        if self.waiting >= WRITEBACK {
            writeback::start(&self.file);
            self.waiting = 0;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Destination for Whole {
    fn commit(self: Box<Self>) -> Result<()> {
        let doing = || format!("cannot write `{}`", self.path.display());
        self.file.sync_all().doing(doing)?;
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        let temporary = match self.temporary {
            Some(temporary) => temporary,
            None => named(&self.file, folder).doing(doing)?,
        };
        temporary.persist(&self.path).map_err(|error| error.error).doing(doing)?;
        File::open(folder).and_then(|folder| folder.sync_all()).doing(doing)
    }
}

/// Gives a file without a name one that nobody has; a link cannot replace what is there.
fn named(file: &File, folder: &Path) -> io::Result<TempPath> {
    let own = format!("/proc/self/fd/{}", file.as_raw_fd());
    let link = |name: &Path| {
        linkat(AT_FDCWD, own.as_str(), AT_FDCWD, name, AtFlags::AT_SYMLINK_FOLLOW).map_err(io::Error::from)
    };
    Ok(tempfile::Builder::new().prefix(UNFINISHED).make_in(folder, link)?.into_temp_path())
}

/// A pipe or a device: what was written is gone.
struct Special {
    file: File,
    path: PathBuf,
}

impl Write for Special {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Destination for Special {
    fn commit(mut self: Box<Self>) -> Result<()> {
        self.flush().doing(|| format!("cannot write `{}`", self.path.display()))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_is_there_once_it_is_whole_and_replaces_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        for content in ["first", "second"] {
            let mut dropped = open(&path).unwrap();
            dropped.write_all(b"never").unwrap();
            drop(dropped);
            let mut destination = open(&path).unwrap();
            destination.write_all(content.as_bytes()).unwrap();
            assert_ne!(fs::read_to_string(&path).ok().as_deref(), Some(content));
            destination.commit().unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(open(dir.path()).err().unwrap().is(ErrorKind::Invalid));
        assert!(open(&dir.path().join("no/x")).err().unwrap().is(ErrorKind::NotFound));
    }
}
