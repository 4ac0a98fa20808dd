//! File locks that end with the process: `flock(2)`, waited for in a way that can be cancelled.

use crate::context::CancelToken;
use crate::error::{IoContext, Result};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

/// How many may hold a lock at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockMode {
    /// Any number, while nobody holds it exclusively.
    Shared,
    /// One.
    Exclusive,
}

/// A held lock; dropping it releases it, and so does the end of the process.
///
/// Two handles exclude each other also inside one process, because `flock` belongs to the open file.
#[derive(Debug)]
pub struct FileLock(Flock<File>);

/// A blocking `flock` could not be cancelled, so waiting is trying again, first soon, then rarely.
const FIRST_RETRY: Duration = Duration::from_millis(1);
const LAST_RETRY: Duration = Duration::from_millis(50);

impl FileLock {
    /// Takes the lock, or gives the file back when somebody else holds it.
    pub fn try_lock(file: File, mode: LockMode) -> io::Result<std::result::Result<Self, File>> {
        let argument = match mode {
            LockMode::Shared => FlockArg::LockSharedNonblock,
            LockMode::Exclusive => FlockArg::LockExclusiveNonblock,
        };
        match Flock::lock(file, argument) {
            Ok(lock) => Ok(Ok(Self(lock))),
            Err((file, Errno::EWOULDBLOCK)) => Ok(Err(file)),
            Err((_, errno)) => Err(errno.into()),
        }
    }

    /// Waits for the lock until `cancel` says stop.
    pub fn lock(mut file: File, mode: LockMode, cancel: &CancelToken) -> Result<Self> {
        let mut pause = FIRST_RETRY;
        loop {
            match Self::try_lock(file, mode).doing(|| "cannot lock a file")? {
                Ok(lock) => return Ok(lock),
                Err(back) => file = back,
            }
            cancel.sleep(pause)?;
            pause = (pause * 2).min(LAST_RETRY);
        }
    }

    /// Waits for an exclusive lock on what `path` names, which `open` opens or makes.
    ///
    /// Whoever holds the lock may rename the file away: then the lock of the next one would be on
    /// something that the path no longer names, so `open` is called again.
    pub fn lock_path(path: &Path, open: impl Fn() -> io::Result<File>, cancel: &CancelToken) -> Result<Self> {
        Self::lock_path_as(path, LockMode::Exclusive, open, cancel)
    }

    /// The same for any lock.
    pub fn lock_path_as(
        path: &Path,
        mode: LockMode,
        open: impl Fn() -> io::Result<File>,
        cancel: &CancelToken,
    ) -> Result<Self> {
        loop {
            let file = open().doing(|| format!("cannot open `{}`", path.display()))?;
            let lock = Self::lock(file, mode, cancel)?;
            if lock.is_still_at(path)? {
                return Ok(lock);
            }
        }
    }

    /// The locked file.
    pub fn file(&self) -> &File {
        &self.0
    }

    /// Whether the path names the locked file.
    pub fn is_still_at(&self, path: &Path) -> Result<bool> {
        let held = self.0.metadata().doing(|| format!("cannot look at `{}`", path.display()))?;
        match path.symlink_metadata() {
            Ok(named) => Ok(named.ino() == held.ino() && named.dev() == held.dev()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error).doing(|| format!("cannot look at `{}`", path.display())),
        }
    }
}

/// The processes that hold the lock on a file shared (proc_locks(5)); none when there is no such file.
pub fn sharers(path: &Path) -> Vec<i32> {
    let Ok(metadata) = std::fs::metadata(path) else { return Vec::new() };
    let locks = std::fs::read_to_string("/proc/locks").unwrap_or_default();
    sharers_in(&locks, metadata.ino())
}

fn sharers_in(locks: &str, inode: u64) -> Vec<i32> {
    let holder = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", _, "READ", pid, place, ..] = fields[..] else { return None };
        (place.rsplit(':').next()?.parse() == Ok(inode)).then_some(())?;
        pid.parse().ok().filter(|pid| *pid > 0)
    };
    locks.lines().filter_map(holder).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn an_exclusive_lock_keeps_others_out_until_it_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let open = || File::create(&path).unwrap();
        let first = FileLock::try_lock(open(), LockMode::Exclusive).unwrap().unwrap();
        assert!(FileLock::try_lock(open(), LockMode::Shared).unwrap().is_err());
        let deadline = CancelToken::new().child_with_timeout(Duration::from_millis(20));
        assert_eq!(FileLock::lock(open(), LockMode::Exclusive, &deadline).unwrap_err().kind(), ErrorKind::Timeout);
        drop(first);
        FileLock::try_lock(open(), LockMode::Exclusive).unwrap().unwrap();
    }

    #[test]
    fn a_file_renamed_away_by_its_holder_is_opened_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let cancel = CancelToken::new();
        let open = || File::options().create(true).truncate(false).write(true).open(&path);
        let first = FileLock::lock_path(&path, open, &cancel).unwrap();
        std::thread::scope(|scope| {
            let second = scope.spawn(|| FileLock::lock_path(&path, open, &cancel).unwrap());
            std::fs::rename(&path, dir.path().join("done")).unwrap();
            drop(first);
            assert!(second.join().unwrap().is_still_at(&path).unwrap());
        });
    }

    #[test]
    fn sharers_are_read_from_the_kernels_list() {
        let locks = "1: POSIX  ADVISORY  READ 5 fe:00:77 0 EOF\n\
                     2: FLOCK  ADVISORY  READ 6 fe:00:77 0 EOF\n\
                     2: -> FLOCK  ADVISORY  READ 8 fe:00:77 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 7 fe:00:77 0 EOF\n\
                     4: FLOCK  ADVISORY  READ 9 fe:00:78 0 EOF\n\
                     5: FLOCK  ADVISORY  READ -1 fe:00:77 0 EOF\n";
        assert_eq!(sharers_in(locks, 77), [6]);
    }
}
