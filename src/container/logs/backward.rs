//! Finds where the last lines of a log start, without reading all of it.

use super::entry::{Entry, wants_entry};
use super::files::Files;
use crate::model::LogOptions;
use std::io;
use std::os::unix::fs::FileExt;

/// How much is read at a time.
const CHUNK: u64 = 64 * 1024;

/// Goes to where at least the last `count` lines that the options want are still to come.
pub fn go_to_tail(files: &mut Files, count: usize, options: &LogOptions) -> io::Result<()> {
    let mut search = Search { options, starts: 0, headless: [false; 2] };
    // The last line of each stream may not have ended yet.
    let enough = count.saturating_add(2);
    for index in (0..files.segments.len()).rev() {
        let segment = &mut files.segments[index];
        let mut start = match segment.end {
            Some(end) => end,
            None => segment.file.metadata()?.len(),
        };
        // What stands before the first line end of the chunk after this one: the end of a line.
        let mut rest: Vec<u8> = Vec::new();
        while start > 0 {
            let from = start.saturating_sub(CHUNK);
            let mut bytes = vec![0; (start - from) as usize];
            segment.file.read_exact_at(&mut bytes, from)?;
            bytes.extend_from_slice(&rest);
            let first = match memchr::memchr(b'\n', &bytes) {
                _ if from == 0 => 0,
                Some(end) => end + 1,
                None => bytes.len(),
            };
            bytes[first..].split(|byte| *byte == b'\n').rev().for_each(|json| search.see(json));
            if search.starts >= enough && search.headless == [false; 2] {
                segment.at = from + first as u64;
                files.segments.drain(..index);
                return Ok(());
            }
            bytes.truncate(first);
            rest = bytes;
            start = from;
        }
    }
    Ok(())
}

struct Search<'a> {
    options: &'a LogOptions,
    /// How many wanted lines begin in what was seen.
    starts: usize,
    /// For each stream: the first that was seen of it is a later part of a long line.
    headless: [bool; 2],
}

impl Search<'_> {
    fn see(&mut self, json: &[u8]) {
        let Some(entry) = Entry::parse(json) else { return };
        if self.options.stream.is_some_and(|stream| stream != entry.stream()) {
            return;
        }
        self.headless[entry.stream() as usize] = !entry.is_first();
        // A line has the time of its first part.
        self.starts += usize::from(entry.is_first() && wants_entry(&entry, self.options));
    }
}
