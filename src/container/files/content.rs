//! The bytes of files: sparse where they were, under a temporary name until they are whole.

use super::late_progress::LateProgress;
use crate::context::Context;
use crate::error::{Error, IoContext, Result};
use crate::sys::reflink;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, renameat};
use nix::sys::stat::{FileStat, Mode};
use nix::unistd::{UnlinkatFlags, Whence, ftruncate, lseek, unlinkat};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Between two looks at whether to stop.
const CHUNK: u64 = 8 << 20;
/// From this size on it is tried to let both files have the same blocks.
const WORTH_SHARING: u64 = 64 << 10;
/// Files that say they are empty and are not (those of `/proc`) are read up to here.
const MOST_UNSIZED: u64 = 16 << 20;

/// Copies as many bytes as the file had when it was found; one that grows meanwhile has no end. Holes stay holes, and
/// where the file system can, both share the blocks.
pub fn copy_content(
    from: &File,
    to: &mut File,
    stat: &FileStat,
    cx: &Context,
    progress: &LateProgress<'_>,
) -> Result<()> {
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    let doing = || "cannot copy its content";
    if size == 0 {
        let copied = io::copy(&mut from.take(MOST_UNSIZED + 1), to).doing(doing)?;
        if copied > MOST_UNSIZED {
            return Err(Error::invalid(format!("it says that it is empty, but has more than {MOST_UNSIZED} bytes")));
        }
        return Ok(());
    }
    // A few bytes are sooner copied than shared.
    if size >= WORTH_SHARING && reflink::share(from, to).is_ok() {
        progress.advance(size);
        return ftruncate(&*to, stat.st_size).doing(doing);
    }
    let is_sparse = u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512) < size;
    let mut done = 0;
    while done < size {
        let (start, end) = if is_sparse { data(from, done, size).doing(doing)? } else { (done, size) };
        let (mut source, mut at) = (from, start);
        if is_sparse {
            source.seek(SeekFrom::Start(start)).and_then(|_| to.seek(SeekFrom::Start(start))).doing(doing)?;
        }
        while at < end {
            cx.check()?;
            let copied = io::copy(&mut source.take(CHUNK.min(end - at)), to).doing(doing)?;
            if copied == 0 {
                break; // It shrank.
            }
            progress.advance(copied);
            at += copied;
        }
        done = end;
    }
    if is_sparse {
        ftruncate(&*to, stat.st_size).doing(doing)?;
    }
    Ok(())
}

/// The next bytes that are no hole; at the end there are none.
fn data(file: &File, from: u64, size: u64) -> nix::Result<(u64, u64)> {
    let offset = i64::try_from(from).map_err(|_| Errno::EFBIG)?;
    let found = |offset: i64| u64::try_from(offset).unwrap_or(0).min(size);
    let start = match lseek(file, offset, Whence::SeekData) {
        Err(Errno::ENXIO) => return Ok((size, size)),
        other => other?,
    };
    let end = lseek(file, start, Whence::SeekHole)?;
    Ok((found(start), found(end)))
}

/// Something under a name of its own, taken away again unless it gets its right one.
pub struct Temporary<'a> {
    folder: BorrowedFd<'a>,
    name: Vec<u8>,
}

impl<'a> Temporary<'a> {
    /// A name that nobody else uses.
    pub fn name() -> Vec<u8> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let now = jiff::Timestamp::now().as_nanosecond() & 0xffff_ffff_ffff;
        format!(".shanty-{:x}-{now:x}-{next:x}", std::process::id()).into_bytes()
    }

    /// What has just been made under such a name.
    pub fn of(folder: BorrowedFd<'a>, name: Vec<u8>) -> Self {
        Self { folder, name }
    }

    /// An empty file that only its owner reads.
    pub fn create(folder: BorrowedFd<'a>) -> nix::Result<(Self, File)> {
        let name = Self::name();
        // Made anew: what a container may have put under the name is not opened.
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let file = openat(folder, &*name, flags, Mode::S_IRUSR | Mode::S_IWUSR)?;
        Ok((Self { folder, name }, File::from(file)))
    }

    /// Its name for now.
    pub fn as_bytes(&self) -> &[u8] {
        &self.name
    }

    /// Gives it its name, in place of what had it.
    pub fn rename(mut self, name: &[u8]) -> nix::Result<()> {
        let result = renameat(self.folder, &*self.name, self.folder, name);
        if result.is_ok() {
            self.name.clear();
        }
        result
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.name.is_empty() {
            // What cannot be taken away stays under a name that says what it is.
            let _ = unlinkat(self.folder, std::ffi::OsStr::from_bytes(&self.name), UnlinkatFlags::NoRemoveDir);
        }
    }
}
