//! Appending events: one write under a lock.

use super::end::{Mark, last_line};
use super::{FILE_NAME, OLD_FILE_NAME, Occurrence, ROTATE_AT};
use crate::error::{Error, IoContext, Result};
use crate::sys::record_lock;
use serde::Serialize;
use serde::ser::SerializeMap;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

/// A lock is held for some microseconds: who cannot get it for so long meets a holder that was stopped.
const PATIENCE: Duration = Duration::from_secs(5);

/// Writes down what has happened, in this order, behind everything that other processes have written.
///
/// # Errors
/// `io` when it cannot be written: on a full disk, nothing of it is.
pub fn append(root: &Path, occurrences: &[Occurrence]) -> Result<()> {
    append_to(root, occurrences, ROTATE_AT)
}

/// The same for commands, which do not fail because of it.
pub fn record(root: &Path, occurrences: &[Occurrence]) {
    if let Err(error) = append(root, occurrences) {
        tracing::warn!(%error, "an event could not be written down");
    }
}

pub(super) fn append_to(root: &Path, occurrences: &[Occurrence], rotate_at: u64) -> Result<()> {
    if occurrences.is_empty() {
        return Ok(());
    }
    let path = root.join(FILE_NAME);
    let doing = || format!("cannot write to `{}`", path.display());
    loop {
        let file = open(&path).doing(doing)?;
        let _lock = record_lock::hold(&file, PATIENCE).map_err(|error| error.context(doing()))?;
        let metadata = file.metadata().doing(doing)?;
        // Whoever held the lock before may have put the file aside.
        if !path.symlink_metadata().is_ok_and(|named| named.ino() == metadata.ino() && named.dev() == metadata.dev()) {
            continue;
        }
        let (end, mark) = last_line(&file, metadata.len()).doing(doing)?;
        if end < metadata.len() {
            file.set_len(end).doing(doing)?;
        }
        if end >= rotate_at {
            std::fs::rename(&path, root.join(OLD_FILE_NAME)).doing(doing)?;
            continue;
        }
        let mark = if end == 0 { mark_of_old(root)? } else { mark };
        let lines = lines(occurrences, mark)?;
        return match (&file).write_all(&lines) {
            Ok(()) => Ok(()),
            Err(error) => {
                // What came to the disk of it is no event. The next writer looks as well.
                let _ = file.set_len(end);
                Err(error).doing(doing)
            }
        };
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).read(true).append(true).mode(0o600).open(path)
}

/// A new file goes on counting where the old one ended.
fn mark_of_old(root: &Path) -> Result<Mark> {
    let path = root.join(OLD_FILE_NAME);
    let doing = || format!("cannot read `{}`", path.display());
    let file = match File::open(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Mark::default()),
        opened => opened.doing(doing)?,
    };
    let length = file.metadata().doing(doing)?.len();
    Ok(last_line(&file, length).doing(doing)?.1)
}

fn lines(occurrences: &[Occurrence], mut last: Mark) -> Result<Vec<u8>> {
    let mut lines = Vec::with_capacity(occurrences.len() * 512);
    for occurrence in occurrences {
        let now = i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX);
        // A clock that was set back must not put events out of order.
        last = Mark { time: now.max(last.time), seq: last.seq + 1 };
        serde_json::to_writer(&mut lines, &Line { occurrence, mark: last })
            .map_err(|error| Error::invalid(format!("an event cannot be written as JSON: {error}")))?;
        lines.push(b'\n');
    }
    Ok(lines)
}

/// A line of the file. Time and number come last: `end.rs` looks for them there.
struct Line<'a> {
    occurrence: &'a Occurrence,
    mark: Mark,
}

impl Serialize for Line<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Actor<'a> {
            #[serde(rename = "ID")]
            id: &'a str,
            #[serde(rename = "Attributes", serialize_with = "as_map")]
            attributes: &'a [(String, String)],
        }
        let Occurrence { kind, action, id, attributes } = self.occurrence;
        let mut map = serializer.serialize_map(Some(7))?;
        map.serialize_entry("Type", kind)?;
        map.serialize_entry("Action", action)?;
        map.serialize_entry("Actor", &Actor { id, attributes })?;
        map.serialize_entry("scope", "local")?;
        map.serialize_entry("time", &self.mark.time.div_euclid(1_000_000_000))?;
        map.serialize_entry("timeNano", &self.mark.time)?;
        map.serialize_entry("seq", &self.mark.seq)?;
        map.end()
    }
}

fn as_map<S: serde::Serializer>(attributes: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(attributes.iter().map(|(key, value)| (key, value)))
}
