//! Files that are replaced as a whole, and noticed when they are.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Larger files are not read, bytes: a network of 65,000 containers is below it.
const LARGEST: u64 = 32 << 20;

/// Replaces a file: who reads it sees the old or the new one, never a part. It is in memory, so nothing is synced.
///
/// One caller at a time: the new file has one name before it gets its own.
pub fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let new = unfinished(path);
    let mut file = File::options().create(true).write(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(text)?;
    fs::rename(new, path)
}

/// What a file is called before it gets its name.
pub fn unfinished(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.new"))
}

/// What a file says, read again only when it is another one.
pub struct Watched<T> {
    path: PathBuf,
    parse: fn(&[u8]) -> Option<T>,
    value: T,
    held: Option<Held>,
}

/// The file that was read. It stays open: as long as it is, the kernel gives its inode to no other file.
struct Held {
    _file: File,
    identity: Identity,
}

/// What differs when the file was replaced, or changed where it is, as an administrator's editor may do with
/// `/etc/resolv.conf`.
type Identity = (u64, u64, i64, i64, u64);

fn identity(file: &Metadata) -> Identity {
    (file.dev(), file.ino(), file.mtime(), file.mtime_nsec(), file.size())
}

impl<T: Default> Watched<T> {
    /// Of a file that is looked at for the first time by [`Self::refresh`].
    pub fn new(path: &Path, parse: fn(&[u8]) -> Option<T>) -> Self {
        Self { path: path.to_owned(), parse, value: T::default(), held: None }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it said at the last look; the default when there was no file.
    pub fn value(&self) -> &T {
        &self.value
    }

    /// Looks whether it is another file now, and says whether the value may be another one. What cannot be read or
    /// understood changes nothing.
    pub fn refresh(&mut self) -> bool {
        match fs::metadata(&self.path) {
            Ok(now) if self.held.as_ref().is_some_and(|held| held.identity == identity(&now)) => false,
            Ok(_) => self.read(),
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.held.is_some() => {
                self.held = None;
                self.value = T::default();
                true
            }
            Err(_) => false,
        }
    }

    fn read(&mut self) -> bool {
        let mut text = Vec::new();
        let mut read = || {
            let file = File::open(&self.path)?;
            let identity = identity(&file.metadata()?);
            (&file).take(LARGEST).read_to_end(&mut text)?;
            io::Result::Ok(Held { _file: file, identity })
        };
        let Ok(held) = read() else { return false };
        self.held = Some(held);
        match (self.parse)(&text) {
            Some(value) => {
                self.value = value;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &[u8]) -> Option<u32> {
        std::str::from_utf8(text).ok()?.trim().parse().ok()
    }

    #[test]
    fn every_replacement_is_noticed_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("number");
        let mut watched = Watched::new(&path, number);
        assert!(!watched.refresh() && *watched.value() == 0);
        // Faster than the clock of the file system ticks.
        for value in 1..200 {
            replace(&path, value.to_string().as_bytes()).unwrap();
            assert!(watched.refresh() && *watched.value() == value);
            assert!(!watched.refresh());
        }
        replace(&path, b"no number").unwrap();
        assert!(!watched.refresh() && *watched.value() == 199);
        fs::remove_file(&path).unwrap();
        assert!(watched.refresh() && *watched.value() == 0);
        assert!(!watched.refresh());
    }

    #[test]
    fn a_file_that_is_changed_where_it_is_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("number");
        fs::write(&path, "1").unwrap();
        let mut watched = Watched::new(&path, number);
        assert!(watched.refresh());
        fs::write(&path, "22").unwrap();
        assert!(watched.refresh() && *watched.value() == 22);
    }
}
