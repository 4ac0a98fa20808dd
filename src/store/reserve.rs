//! Space of the database that a full disk cannot take away: when containers have filled the disk, and write on, their
//! end and their removal, which frees it, can still be written down.
//!
//! A file of free space that is given up when it is needed would not do: who writes on takes what is given up. So the
//! database's files own beforehand what they will need: its log has blocks beyond its end, into which it grows, and the
//! index of the log (`-shm`) is never made smaller.

use crate::sys::record_lock;
use nix::fcntl::{FallocateFlags, fallocate};
use nix::sys::statvfs::statvfs;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the log has beyond its end, bytes: enough for some hundreds of commands.
const SIZE: i64 = 4 << 20;
/// With less than this beyond its end, bytes, it is given more.
const LITTLE: u64 = 2 << 20;
/// It is given more where at least this is free, bytes.
const PLENTY: u64 = 16 << 20;

/// Where `SQLite` locks the index of a log that it has open, its "dead man's switch" (`UNIX_SHM_DMS` of `os_unix.c`).
const SWITCH: i64 = 128;
/// The index of a log of up to four thousand pages, bytes.
const INDEX_SIZE: u64 = 32 << 10;
/// For another process to clear the index.
const PATIENCE: Duration = Duration::from_secs(2);

/// Gives the log of an open database blocks beyond its end, unless it has them or there are none. What cannot be had is
/// not missed before the disk is full.
pub fn keep_log(database: &Path) {
    let Ok(log) = File::options().write(true).open(beside(database, "-wal")) else { return };
    let Ok(found) = log.metadata() else { return };
    let beyond = (found.blocks() * 512).saturating_sub(found.len());
    if let Ok(end) = i64::try_from(found.len())
        && beyond < LITTLE
        && is_plenty(database)
    {
        let _ = fallocate(&log, FallocateFlags::FALLOC_FL_KEEP_SIZE, end, SIZE);
    }
}

/// Whether the log would get back what it gives away.
pub fn is_plenty(database: &Path) -> bool {
    let folder = database.parent().unwrap_or(database);
    statvfs(folder).map_or(true, |found| found.blocks_free().saturating_mul(found.fragment_size()) >= PLENTY)
}

/// Called before a database is opened, so that this needs no space: the first process that opens it would make the index
/// of its log empty, and then larger again.
///
/// It does that to forget an index that may have outlived a crash of the machine. Zeros do so as well, and while
/// somebody holds the lock of those who use the index, `SQLite` leaves its size alone.
pub fn keep_index(database: &Path) {
    let path = beside(database, "-shm");
    // Looked at without opening it: closing it would drop the locks of other connections of this process.
    if !fs::metadata(&path).is_ok_and(|index| index.len() >= INDEX_SIZE) {
        return;
    }
    let Ok(index) = File::options().read(true).write(true).open(&path) else { return };
    if record_lock::try_exclude(&index, SWITCH) && clear(&index).is_err() {
        return;
    }
    // Without the lock nothing is wrong: `SQLite` asks for the space, and on a full disk does not get it.
    let _ = record_lock::share(&index, SWITCH, PATIENCE);
    // The lock is this process's from now on, and see above.
    std::mem::forget(index);
}

/// The caller has excluded everybody: nobody has it in memory.
fn clear(index: &File) -> std::io::Result<()> {
    let length = usize::try_from(index.metadata()?.len()).unwrap_or(usize::MAX);
    index.write_all_at(&vec![0; length], 0)
}

fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut path = database.to_owned().into_os_string();
    path.push(suffix);
    path.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::database::Database;

    #[test]
    fn an_index_of_the_past_is_forgotten_and_keeps_its_size() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shanty.db");
        let id = Database::create(&path).unwrap().root_id().unwrap();
        let longer = vec![0xff; INDEX_SIZE as usize + 5000];
        fs::write(beside(&path, "-shm"), &longer).unwrap();
        assert_eq!(Database::open(&path).unwrap().unwrap().root_id().unwrap(), id);
        let index = fs::read(beside(&path, "-shm")).unwrap();
        assert_eq!(index.len(), longer.len());
        assert!(index[INDEX_SIZE as usize..].iter().all(|byte| *byte == 0), "it is not cleared");
    }

    #[test]
    fn an_index_in_use_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shanty.db");
        let first = Database::create(&path).unwrap();
        // Closed last: that drops the locks that are looked at here.
        let index = File::open(beside(&path, "-shm")).unwrap();
        let read = || {
            let mut bytes = vec![0; INDEX_SIZE as usize];
            index.read_exact_at(&mut bytes, 0).unwrap();
            bytes
        };
        let before = read();
        assert!(before.iter().any(|byte| *byte != 0));
        keep_index(&path);
        assert_eq!(read(), before);
        first.root_id().unwrap();
    }
}
