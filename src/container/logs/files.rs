//! The files of a log as a reader has them open: what was put aside, or deleted, while it reads stays readable.

use crate::runtime::log::older;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// How much is read at a time.
const CHUNK: usize = 64 * 1024;
/// Files that may be held open for a follower who is slower than the container: they use space when they are deleted.
const MOST_HELD: usize = 8;
/// The kernel's time of a file may be a little behind that of its last line.
const CLOCK_TICK_NS: i128 = 1_000_000_000;

/// One file, read up to a place.
pub struct Segment {
    /// The file.
    pub file: File,
    inode: u64,
    /// Behind the last line that was read.
    pub at: u64,
    /// Where reading ends for now; `None`: where the file does.
    pub end: Option<u64>,
}

impl Segment {
    fn open(path: &Path) -> io::Result<Option<Self>> {
        match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            opened => {
                let file = opened?;
                Ok(Some(Self { inode: file.metadata()?.ino(), file, at: 0, end: None }))
            }
        }
    }

    /// Whole lines from here on, into `lines`; none at the end. The rest of a line that is being written is left for the
    /// next time, by which a full disk may have taken it away.
    pub fn next_lines(&mut self, lines: &mut Vec<u8>) -> io::Result<()> {
        lines.clear();
        loop {
            let filled = lines.len();
            let start = self.at + filled as u64;
            let room = self.end.map_or(CHUNK, |end| CHUNK.min(end.saturating_sub(start) as usize));
            lines.resize(filled + room, 0);
            let read = self.file.read_at(&mut lines[filled..], start)?;
            lines.truncate(filled + read);
            if let Some(end) = memchr::memrchr(b'\n', lines) {
                lines.truncate(end + 1);
                self.at += lines.len() as u64;
                return Ok(());
            }
            if read == 0 {
                lines.clear();
                return Ok(());
            }
        }
    }

    fn was_written_before(&self, time: jiff::Timestamp) -> io::Result<bool> {
        let metadata = self.file.metadata()?;
        let written = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
        Ok(written + CLOCK_TICK_NS < time.as_nanosecond())
    }
}

/// All files, the oldest first.
pub struct Files {
    path: PathBuf,
    /// Those that are left to be read; never empty.
    pub segments: VecDeque<Segment>,
}

impl Files {
    /// Opens what there is; `None` when there is no log. The newest one is read up to where it ends now.
    pub fn open(path: &Path) -> io::Result<Option<Self>> {
        let mut segments = open_all(path)?;
        let Some(newest) = segments.back_mut() else { return Ok(None) };
        newest.end = Some(newest.file.metadata()?.len());
        Ok(Some(Self { path: path.to_owned(), segments }))
    }

    /// Leaves out files whose lines are all older, but for one: a long line may begin in it.
    pub fn skip_before(&mut self, time: jiff::Timestamp) -> io::Result<()> {
        while self.segments.len() > 1 && self.segments[1].was_written_before(time)? {
            self.segments.pop_front();
        }
        Ok(())
    }

    /// Opens the files that have come since; `false` when one came and went unseen.
    pub fn look_again(&mut self) -> io::Result<bool> {
        let newest = self.segments.back().map_or(0, |segment| segment.inode);
        match std::fs::metadata(&self.path) {
            Ok(metadata) if metadata.ino() != newest => {}
            // The whole container may have been removed.
            _ => return Ok(true),
        }
        let mut all = open_all(&self.path)?;
        let known = all.iter().position(|segment| segment.inode == newest);
        all.drain(..known.map_or(0, |index| index + 1));
        self.segments.append(&mut all);
        Ok(known.is_some())
    }

    /// Whether another file may be held.
    pub fn has_room(&self) -> bool {
        self.segments.len() < MOST_HELD
    }
}

/// The files, as they were at one moment.
fn open_all(path: &Path) -> io::Result<VecDeque<Segment>> {
    loop {
        let mut segments: VecDeque<Segment> = VecDeque::new();
        let Some(newest) = Segment::open(path)? else { return Ok(segments) };
        let inode = newest.inode;
        segments.push_front(newest);
        let mut missing = 0;
        for number in 1.. {
            match Segment::open(&older(path, number))? {
                // Seen under its last name: it is being renamed.
                Some(segment) if segments.iter().any(|seen| seen.inode == segment.inode) => {}
                Some(segment) => segments.push_front(segment),
                None => missing += 1,
            }
            // A turn that was cut short leaves one gap.
            if missing > 1 {
                break;
            }
        }
        // From the newest on, nothing is missed unless a whole new file came in between.
        match std::fs::metadata(path) {
            Ok(metadata) if metadata.ino() != inode => {}
            _ => return Ok(segments),
        }
    }
}
