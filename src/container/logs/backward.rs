//! Finds where the last lines of a log start, without reading the whole file.

use super::entry::{Joiner, wanted};
use crate::model::LogOptions;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// How much is read at a time.
const CHUNK: u64 = 64 * 1024;

/// Offset from which on the file holds at least the last `count` lines that the options want, or 0.
pub fn start_of_tail(file: &File, end: u64, count: usize, options: &LogOptions) -> io::Result<u64> {
    let mut start = end;
    let mut found = 0;
    // What stands before the first line end of the chunk after this one: the end of a line.
    let mut rest: Vec<u8> = Vec::new();
    // Parts of a long line count as one: only an entry with a line end is counted.
    while start > 0 && found <= count {
        let from = start.saturating_sub(CHUNK);
        let mut bytes = vec![0; (start - from) as usize];
        file.read_exact_at(&mut bytes, from)?;
        bytes.extend_from_slice(&rest);
        let first_end = bytes.iter().position(|byte| *byte == b'\n');
        let (head, lines) = match first_end {
            Some(position) if from > 0 => bytes.split_at(position + 1),
            _ => bytes.split_at(0),
        };
        found += lines
            .split(|byte| *byte == b'\n')
            .filter_map(|json| Joiner::default().push(json))
            .filter(|line| wanted(line, options))
            .count();
        rest = head.to_vec();
        start = from;
    }
    // One line more than asked for was looked for, so that the first part of a long line is not lost.
    Ok(start)
}
