//! POSIX record locks (fcntl(2), `F_SETLK`): not inherited by a fork, and gone with the process.
//!
//! Closing *any* descriptor of the file drops them: a process opens a locked file once.

use crate::error::{Error, ErrorKind, IoContext, Result};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// A write lock on a whole file, held until it is dropped or the process ends.
#[derive(Debug)]
pub struct RecordLock {
    _file: File,
}

impl RecordLock {
    /// Takes the lock, creating the file; `None` when another process has it.
    pub fn try_take(path: &Path) -> Result<Option<Self>> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(path)
            .doing(|| format!("cannot open `{}`", path.display()))?;
        match fcntl(&file, FcntlArg::F_SETLK(&whole_file(libc::F_WRLCK))) {
            Ok(_) => Ok(Some(Self { _file: file })),
            Err(Errno::EACCES | Errno::EAGAIN) => Ok(None),
            Err(errno) => Err(errno).doing(|| format!("cannot lock `{}`", path.display())),
        }
    }
}

/// The process that holds the lock on a file; `None` when nobody does, or there is no such file.
///
/// Not for a file that this process has locked: its lock would be dropped.
pub fn holder(path: &Path) -> Result<Option<i32>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        other => other.doing(|| format!("cannot open `{}`", path.display()))?,
    };
    let mut lock = whole_file(libc::F_WRLCK);
    fcntl(&file, FcntlArg::F_GETLK(&mut lock)).doing(|| format!("cannot look at the lock on `{}`", path.display()))?;
    Ok((i32::from(lock.l_type) != libc::F_UNLCK).then_some(lock.l_pid))
}

/// A lock on an open file, given back when it is dropped.
#[derive(Debug)]
pub struct Held<'a>(&'a File);

/// First soon, then less often: the lock is held for one write.
const FIRST_RETRY: Duration = Duration::from_micros(20);
const LAST_RETRY: Duration = Duration::from_millis(1);

/// Waits for a lock that belongs to this opening of the file (`F_OFD_SETLK`): it excludes other threads as well, and
/// closing another descriptor of the same file does not drop it.
///
/// # Errors
/// `busy` when somebody has held it all the time.
pub fn hold(file: &File, patience: Duration) -> Result<Held<'_>> {
    wait_for(file, &whole_file(libc::F_WRLCK), patience)?;
    Ok(Held(file))
}

fn wait_for(file: &File, lock: &libc::flock, patience: Duration) -> Result<()> {
    let started = Instant::now();
    let mut pause = FIRST_RETRY;
    loop {
        match fcntl(file, FcntlArg::F_OFD_SETLK(lock)) {
            Ok(_) => return Ok(()),
            Err(Errno::EACCES | Errno::EAGAIN) if started.elapsed() < patience => std::thread::sleep(pause),
            Err(Errno::EACCES | Errno::EAGAIN) => {
                return Err(Error::new(ErrorKind::Busy, "another process holds the lock and does not go on"));
            }
            Err(errno) => return Err(errno).doing(|| "cannot lock"),
        }
        pause = (pause * 2).min(LAST_RETRY);
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // A lock that cannot be given back goes with the file.
        let _ = fcntl(self.0, FcntlArg::F_OFD_SETLK(&whole_file(libc::F_UNLCK)));
    }
}

/// Takes the write lock on one byte, which belongs to this opening of the file; `false` when anybody else has a lock on it,
/// this process by another opening included.
pub fn try_exclude(file: &File, byte: i64) -> bool {
    fcntl(file, FcntlArg::F_OFD_SETLK(&one_byte(libc::F_WRLCK, byte))).is_ok()
}

/// Waits for the read lock on one byte, in the same way; also instead of the write lock, with no moment between.
///
/// # Errors
/// `busy` when somebody has excluded others all the time.
pub fn share(file: &File, byte: i64, patience: Duration) -> Result<()> {
    wait_for(file, &one_byte(libc::F_RDLCK, byte), patience)
}

fn one_byte(kind: i32, byte: i64) -> libc::flock {
    libc::flock { l_start: byte, l_len: 1, ..whole_file(kind) }
}

fn whole_file(kind: i32) -> libc::flock {
    libc::flock { l_type: kind as i16, l_whence: libc::SEEK_SET as i16, l_start: 0, l_len: 0, l_pid: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_holds_a_file_that_is_not_there() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(holder(&dir.path().join("none")).unwrap(), None);
    }
}
