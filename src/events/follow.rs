//! Reading events, and going on as they happen.

use super::end::last_line;
use super::{FILE_NAME, OLD_FILE_NAME};
use crate::context::Context;
use crate::error::{IoContext, Result};
use crate::model::{Event, EventQuery};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

/// How much is read at a time.
const CHUNK: usize = 64 * 1024;
/// Now and then it is looked without being woken: for a file that was put aside before it could be watched.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Receives events; `false` ends the reading.
type OnEvent<'a> = &'a mut dyn FnMut(Event) -> Result<bool>;

/// Gives each event that the query wants, in their order; with `follow` it goes on until `before`, or until the
/// receiver gives `false`.
pub fn read(cx: &Context, root: &Path, query: &EventQuery, on_event: OnEvent<'_>) -> Result<()> {
    let doing = || format!("cannot read the events of `{}`", root.display());
    let mut current = if query.follow {
        open_for_following(root).doing(doing).map(Some)?
    } else {
        Segment::open(&root.join(FILE_NAME)).doing(doing)?
    };
    let mut reader = Reader { cx, query, on_event, last: 0 };
    if query.follow && query.since.is_none() {
        if let Some(current) = &mut current {
            reader.last = current.skip_to_end().doing(doing)?;
        }
    } else if let Some(mut old) = Segment::open(&root.join(OLD_FILE_NAME)).doing(doing)?
        && current.as_ref().is_none_or(|current| current.inode != old.inode)
        && !reader.drain(&mut old)?
    {
        return Ok(());
    }
    let Some(mut current) = current else { return Ok(()) };
    let mut watch = if query.follow { Some(Watch::new(&root.join(FILE_NAME))?) } else { None };
    loop {
        if !reader.drain(&mut current)? {
            return Ok(());
        }
        let Some(watching) = &watch else { return Ok(()) };
        if is_replaced(root, &current) {
            // Nobody writes to a file that was put aside: what it has now is all.
            if !reader.drain(&mut current)? || !reader.drain_missed(root, &current)? {
                return Ok(());
            }
            current = open_for_following(root).doing(doing)?;
            watch = Some(Watch::new(&root.join(FILE_NAME))?);
            continue;
        }
        if !watching.wait(cx, query)? {
            reader.drain(&mut current)?;
            return Ok(());
        }
    }
}

struct Reader<'a, 'b> {
    cx: &'a Context,
    query: &'a EventQuery,
    on_event: OnEvent<'b>,
    /// Number of the last event that was seen.
    last: u64,
}

impl Reader<'_, '_> {
    /// Reads to the present end of a file; `false` when nothing more is wanted.
    fn drain(&mut self, segment: &mut Segment) -> Result<bool> {
        loop {
            self.cx.check()?;
            let lines = segment.next_lines().doing(|| "cannot read the events")?;
            if lines.is_empty() {
                return Ok(true);
            }
            for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                // What a killed writer left is no event.
                let Ok(event) = serde_json::from_slice::<Event>(line) else { continue };
                if !self.take(event)? {
                    return Ok(false);
                }
            }
        }
    }

    fn take(&mut self, event: Event) -> Result<bool> {
        if event.seq <= self.last {
            return Ok(true);
        }
        self.last = event.seq;
        let time = event.timestamp();
        if self.query.before.is_some_and(|before| time >= before) {
            return Ok(false);
        }
        if self.query.since.is_some_and(|since| time < since) || !self.query.filter.wants(&event) {
            return Ok(true);
        }
        self.cx.check()?;
        (self.on_event)(event)
    }

    /// A file that came and was put aside while nobody looked.
    fn drain_missed(&mut self, root: &Path, current: &Segment) -> Result<bool> {
        match Segment::open(&root.join(OLD_FILE_NAME)).doing(|| "cannot read the events")? {
            Some(mut old) if old.inode != current.inode => self.drain(&mut old),
            _ => Ok(true),
        }
    }
}

/// A file of events, read up to a place.
struct Segment {
    file: File,
    inode: u64,
    /// Behind the last line that was read.
    at: u64,
}

impl Segment {
    fn open(path: &Path) -> io::Result<Option<Self>> {
        match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            opened => Self::of(opened?).map(Some),
        }
    }

    fn of(file: File) -> io::Result<Self> {
        let inode = file.metadata()?.ino();
        Ok(Self { file, inode, at: 0 })
    }

    /// Goes behind the last event; gives its number.
    fn skip_to_end(&mut self) -> io::Result<u64> {
        let (end, mark) = last_line(&self.file, self.file.metadata()?.len())?;
        self.at = end;
        Ok(mark.seq)
    }

    /// Whole lines from here on; empty at the end of the file. The rest of a line that is being written is left
    /// for the next time, by which another writer may have taken it away.
    fn next_lines(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        loop {
            let filled = bytes.len();
            bytes.resize(filled + CHUNK, 0);
            let read = self.file.read_at(&mut bytes[filled..], self.at + filled as u64)?;
            bytes.truncate(filled + read);
            if let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n') {
                bytes.truncate(end + 1);
                self.at += bytes.len() as u64;
                return Ok(bytes);
            }
            if read == 0 {
                return Ok(Vec::new());
            }
        }
    }
}

/// There may have been no event yet: the file is made, to be watched.
fn open_for_following(root: &Path) -> io::Result<Segment> {
    let path = root.join(FILE_NAME);
    Segment::of(OpenOptions::new().create(true).read(true).append(true).mode(0o600).open(path)?)
}

/// Whether the name stands for another file than the one that is read. While it stands for none, the new one is
/// still to come.
fn is_replaced(root: &Path, current: &Segment) -> bool {
    root.join(FILE_NAME).symlink_metadata().is_ok_and(|named| named.ino() != current.inode)
}

/// Wakes up when something is written, or the file is put aside.
struct Watch(Inotify);

impl Watch {
    fn new(path: &Path) -> Result<Self> {
        let doing = || "cannot watch the events";
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).doing(doing)?;
        match inotify.add_watch(path, AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_MOVE_SELF) {
            // It is being put aside at this moment: the next look finds the new one.
            Ok(_) | Err(nix::errno::Errno::ENOENT) => Ok(Self(inotify)),
            Err(errno) => Err(errno).doing(doing),
        }
    }

    /// Returns when there is something to see, or after a while; `false` when it is past the query's end.
    fn wait(&self, cx: &Context, query: &EventQuery) -> Result<bool> {
        let mut at_most = LOOK_AGAIN;
        if let Some(before) = query.before {
            match Duration::try_from(before.duration_since(jiff::Timestamp::now())) {
                Ok(left) if !left.is_zero() => at_most = at_most.min(left),
                _ => return Ok(false),
            }
        }
        cx.cancel.wait_readable(Some(self.0.as_fd()), Some(at_most))?;
        while self.0.read_events().is_ok_and(|events| !events.is_empty()) {}
        Ok(true)
    }
}
