//! The files of a log: one that grows, and those before it.
//!
//! A reader never finds the name of the growing file without a file, and can tell by the inodes what came after what.

use crate::error::{IoContext, Result};
use crate::model::LogSpec;
use crate::runtime::log::{FILE_NAME, older};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, IoSlice, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The file that grows.
pub struct LogFile {
    path: PathBuf,
    file: File,
    size: u64,
    spec: LogSpec,
}

impl LogFile {
    /// Goes on where the last monitor ended.
    pub fn open(container_dir: &Path, spec: LogSpec) -> Result<Self> {
        let path = container_dir.join(FILE_NAME);
        let doing = || format!("cannot open the log `{}`", path.display());
        let file = options().append(true).open(&path).doing(doing)?;
        let metadata = file.metadata().doing(doing)?;
        let mut log = Self { file, size: metadata.len(), spec, path: path.clone() };
        if log.size > 0 {
            log.mend(metadata.nlink()).doing(doing)?;
        }
        Ok(log)
    }

    /// After a crash: a line that was cut short, a turn that was not ended.
    fn mend(&mut self, links: u64) -> io::Result<()> {
        if links > 1 {
            return self.begin_next();
        }
        let mut last = [0];
        let reader = File::open(&self.path)?;
        reader.read_exact_at(&mut last, self.size - 1)?;
        if last != *b"\n" {
            self.write(&[b"\n"])?;
        }
        Ok(())
    }

    /// Whether it is full once so many bytes are added.
    pub fn is_full_with(&self, more: usize) -> bool {
        self.spec.max_size > 0 && self.size + more as u64 >= self.spec.max_size
    }

    /// Writes all of it, or nothing.
    pub fn append(&mut self, texts: &[&[u8]]) -> io::Result<()> {
        if self.size > 0 && self.is_full_with(0) {
            self.turn()?;
        }
        self.write(texts)
    }

    fn write(&mut self, texts: &[&[u8]]) -> io::Result<()> {
        let mut slices: Vec<IoSlice<'_>> = texts.iter().map(|text| IoSlice::new(text)).collect();
        let written = write_all(&mut self.file, &mut slices);
        match written {
            Ok(()) => self.size += texts.iter().map(|text| text.len() as u64).sum::<u64>(),
            // Half an entry would spoil the next one.
            Err(_) => self.file.set_len(self.size)?,
        }
        written
    }

    /// Puts the file aside and begins the next one.
    fn turn(&mut self) -> io::Result<()> {
        let last = self.spec.max_files - 1;
        if last == 0 {
            return self.begin_next();
        }
        let next = match self.next_file() {
            // What fills the disk may be ours: the file that is to go anyway.
            Err(_) => {
                missing_ok(fs::remove_file(older(&self.path, last)))?;
                self.next_file()?
            }
            Ok(next) => next,
        };
        for number in (1..last).rev() {
            // There are fewer files at first.
            missing_ok(fs::rename(older(&self.path, number), older(&self.path, number + 1)))?;
        }
        if last == 1 {
            missing_ok(fs::remove_file(older(&self.path, 1)))?;
        }
        // A second name first, so that the first one always leads to a file.
        fs::hard_link(&self.path, older(&self.path, 1))?;
        self.take(next)
    }

    fn begin_next(&mut self) -> io::Result<()> {
        let next = self.next_file()?;
        self.take(next)
    }

    fn next_path(&self) -> PathBuf {
        self.path.with_extension("log.next")
    }

    fn next_file(&self) -> io::Result<File> {
        let path = self.next_path();
        // Of a monitor that was killed in the middle of this.
        missing_ok(fs::remove_file(&path))?;
        options().append(true).open(path)
    }

    fn take(&mut self, next: File) -> io::Result<()> {
        fs::rename(self.next_path(), &self.path)?;
        self.file = next;
        self.size = 0;
        Ok(())
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).mode(0o600);
    options
}

fn missing_ok(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

fn write_all(file: &mut File, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
    while !slices.is_empty() {
        match file.write_vectored(slices) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => IoSlice::advance_slices(&mut slices, count),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &Path) -> String {
        fs::read_to_string(path).unwrap_or_default()
    }

    #[test]
    fn a_turn_that_a_crash_cut_short_is_ended_by_the_next_monitor() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        fs::write(&path, "first\n").unwrap();
        fs::hard_link(&path, older(&path, 1)).unwrap();
        fs::write(path.with_extension("log.next"), "").unwrap();
        let mut log = LogFile::open(dir.path(), LogSpec::default()).unwrap();
        log.append(&[b"second\n"]).unwrap();
        assert_eq!((lines(&path), lines(&older(&path, 1))), ("second\n".into(), "first\n".into()));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }
}
