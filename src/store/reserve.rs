//! A little space kept back for the database: when containers have filled the disk, their end and their removal,
//! which frees it, can still be written down.

use nix::fcntl::posix_fallocate;
use nix::sys::statvfs::statvfs;
use std::fs::{self, File};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Enough for some dozens of commands.
const SIZE: i64 = 4 << 20;
/// So much is given up at a time: enough to open the database and for some dozens of changes. A container that goes on
/// writing takes what is free, so not all of it may be.
const STEP: u64 = 128 << 10;
/// With less than this free, in bytes, a part of the reserve is given up.
const LITTLE: u64 = 64 << 10;
/// It is made where at least this is free, in bytes.
const PLENTY: u64 = 16 << 20;

/// Keeps space back, unless that is done already or there is none. What cannot be had is not missed before the
/// disk is full.
pub fn keep(database: &Path) {
    let path = path(database);
    if path.exists() || free(database) < PLENTY {
        return;
    }
    if let Ok(file) = File::options().create_new(true).write(true).mode(0o600).open(&path)
        && posix_fallocate(&file, 0, SIZE).is_err()
    {
        let _ = fs::remove_file(&path);
    }
}

/// Gives a part of the reserve up when the disk is full.
pub fn use_when_full(database: &Path) {
    if free(database) >= LITTLE {
        return;
    }
    // It may be gone already: then what follows fails as it must.
    let Ok(file) = File::options().write(true).open(path(database)) else { return };
    let left = file.metadata().map_or(0, |metadata| metadata.len()).saturating_sub(STEP);
    if left == 0 || file.set_len(left).is_err() {
        let _ = fs::remove_file(path(database));
    }
}

fn path(database: &Path) -> PathBuf {
    database.with_extension("reserve")
}

/// Bytes that root can still write beside the database; as good as endless where that is not known.
fn free(database: &Path) -> u64 {
    let folder = database.parent().unwrap_or(database);
    statvfs(folder).map_or(u64::MAX, |found| found.blocks_free().saturating_mul(found.fragment_size()))
}
