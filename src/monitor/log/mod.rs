//! The log of a container: Docker's json-file format, one JSON object a line.
//!
//! A program can write faster than anybody reads, so this costs little for each byte: lines are taken out of what was
//! read without being copied, many of them become one write, and the time is written once for all of them.

mod entry;
mod file;

use crate::error::Result;
use crate::model::{LogDriver, LogSpec};
use entry::Entries;
use file::LogFile;
use std::path::Path;

/// Longer lines are written in parts, all but the last without `\n`: Docker's limit.
pub const LONGEST_PART: usize = 16 << 10;
/// At most so many bytes become one write: what is kept in memory is bounded, whatever is read.
const ONE_WRITE: usize = 48 << 10;
/// Of a short read it is less: three times what was read, as lines of common length come to.
const TIMES: usize = 3;
/// And this at least.
const SHORTEST_WRITE: usize = 512;

/// The log that is written.
pub struct Log {
    /// `None`: nobody wants it.
    file: Option<LogFile>,
}

/// What has been read of one output stream and not been written as a line yet.
pub struct Pending {
    stream: &'static str,
    bytes: Vec<u8>,
    /// Which part of its line is next.
    part: u32,
    /// Entries that could not be written, and why.
    lost: Option<(u64, String)>,
}

impl Pending {
    /// Of `stdout` or `stderr`.
    pub fn new(stream: &'static str) -> Self {
        Self { stream, bytes: Vec::new(), part: 1, lost: None }
    }

    /// A whole line was written, with all that was kept of it.
    fn line_ended(&mut self) {
        self.part = 1;
        // Given back, not kept: a monitor is to stay small between the lines.
        self.bytes = Vec::new();
    }
}

impl Log {
    /// Opens the log of a container to go on with it.
    pub fn open(container_dir: &Path, spec: LogSpec) -> Result<Self> {
        let file = match spec.driver {
            LogDriver::JsonFile => Some(LogFile::open(container_dir, spec)?),
            LogDriver::None => None,
        };
        Ok(Self { file })
    }

    /// Takes output as it came; writes the lines that are complete.
    pub fn output(&mut self, pending: &mut Pending, mut bytes: &[u8]) {
        let Some(file) = &mut self.file else { return };
        let mut writer = Writer::new(file, pending.stream, bytes.len());
        while !bytes.is_empty() {
            let end = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |end| end + 1);
            let is_whole = bytes[end - 1] == b'\n';
            let (line, rest) = bytes.split_at(end);
            let kept = pending.bytes.len();
            if kept + line.len() > LONGEST_PART {
                // Filled up to the limit, which may lie inside a character.
                let room = LONGEST_PART - kept;
                pending.bytes.extend_from_slice(&bytes[..room]);
                let cut = entry::last_boundary(&pending.bytes);
                writer.entry(&pending.bytes[..cut], pending.part, &mut pending.lost);
                pending.bytes.drain(..cut);
                pending.part += 1;
                bytes = &bytes[room..];
                continue;
            }
            if kept > 0 || !is_whole {
                pending.bytes.extend_from_slice(line);
            }
            if is_whole {
                let line = if kept > 0 { &pending.bytes } else { line };
                writer.entry(line, pending.part, &mut pending.lost);
                pending.line_ended();
            }
            bytes = rest;
        }
        writer.write(&mut pending.lost);
    }

    /// The stream has ended: what it left without a line end becomes a line.
    pub fn finish(&mut self, pending: &mut Pending) {
        let Some(file) = &mut self.file else { return };
        let mut writer = Writer::new(file, pending.stream, pending.bytes.len());
        if !pending.bytes.is_empty() {
            pending.bytes.push(b'\n');
            writer.entry(&pending.bytes, pending.part, &mut pending.lost);
            pending.line_ended();
        }
        writer.write(&mut pending.lost);
    }
}

/// Entries of one stream on their way into the file.
struct Writer<'a> {
    file: &'a mut LogFile,
    entries: Entries,
    one_write: usize,
}

impl<'a> Writer<'a> {
    fn new(file: &'a mut LogFile, stream: &'static str, bytes: usize) -> Self {
        let one_write = (bytes * TIMES).clamp(SHORTEST_WRITE, ONE_WRITE);
        Self { file, entries: Entries::new(stream, one_write), one_write }
    }

    fn entry(&mut self, line: &[u8], part: u32, lost: &mut Option<(u64, String)>) {
        self.entries.add(line, part);
        let size = self.entries.text().len();
        if size >= self.one_write || self.file.is_full_with(size) {
            self.write(lost);
        }
    }

    /// Writes what there is. A full disk must not end the container: its log has a gap then, and says so once it goes on.
    fn write(&mut self, lost: &mut Option<(u64, String)>) {
        if self.entries.count() == 0 {
            return;
        }
        let written = match lost {
            None => self.file.append(&[self.entries.text()]),
            Some((count, why)) => {
                let entries = if *count == 1 { "entry is" } else { "entries are" };
                let gap = self.entries.alone(&format!("[shanty: {count} {entries} missing here: {why}]\n"));
                self.file.append(&[&gap, self.entries.text()])
            }
        };
        match written {
            Ok(()) => *lost = None,
            Err(error) => {
                let before = lost.take().map_or(0, |(count, _)| count);
                *lost = Some((before + self.entries.count(), reason(&error)));
            }
        }
        self.entries.clear();
    }
}

fn reason(error: &std::io::Error) -> String {
    match error.raw_os_error() {
        Some(errno) => nix::errno::Errno::from_raw(errno).desc().to_lowercase(),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::log::{FILE_NAME, older};

    /// The entries of a file: text and part.
    fn entries(path: &Path) -> Vec<(String, u64)> {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let entry = |line: &str| {
            let entry: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(entry["stream"], "stdout");
            entry["time"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
            (entry["log"].as_str().unwrap().to_owned(), entry["part"].as_u64().unwrap_or(1))
        };
        text.lines().map(entry).collect()
    }

    /// What a reader finds after these chunks of output and the end.
    fn written(chunks: &[&[u8]]) -> Vec<(String, u64)> {
        let dir = tempfile::tempdir().unwrap();
        let mut log = Log::open(dir.path(), LogSpec::default()).unwrap();
        let mut pending = Pending::new("stdout");
        for chunk in chunks {
            log.output(&mut pending, chunk);
        }
        log.finish(&mut pending);
        entries(&dir.path().join(FILE_NAME))
    }

    fn texts(chunks: &[&[u8]]) -> Vec<String> {
        written(chunks).into_iter().map(|(text, _)| text).collect()
    }

    #[test]
    fn lines_are_put_together_and_taken_apart() {
        assert_eq!(texts(&[b"a\nb", b"c\n", b"\n", b"d"]), ["a\n", "bc\n", "\n", "d\n"]);
        assert_eq!(texts(&[b"quote \" tab \t bad \xff\n"]), ["quote \" tab \t bad \u{fffd}\n"]);
        assert!(texts(&[b""]).is_empty());
    }

    #[test]
    fn long_lines_come_in_parts_of_16_kib() {
        let long = vec![b'x'; 2 * LONGEST_PART + 3];
        let parts =
            |chunks: &[&[u8]]| written(chunks).iter().map(|(text, part)| (text.len(), *part)).collect::<Vec<_>>();
        assert_eq!(parts(&[&long, b"\n"]), [(LONGEST_PART, 1), (LONGEST_PART, 2), (4, 3)]);
        assert_eq!(parts(&[&long[..5], &long[5..], b"y\nz\n"]), [(LONGEST_PART, 1), (LONGEST_PART, 2), (5, 3), (2, 1)]);
        assert_eq!(parts(&[&long[..LONGEST_PART - 1], b"\n"]), [(LONGEST_PART, 1)]);
    }

    #[test]
    fn a_line_is_not_cut_inside_a_character() {
        for (before, character) in [(1, "ä"), (2, "€"), (1, "€"), (3, "😀"), (1, "😀")] {
            let mut line = vec![b'x'; LONGEST_PART - before];
            line.extend_from_slice(character.as_bytes());
            line.extend_from_slice(b"end\n");
            for chunks in [vec![&line[..]], line.chunks(1000).collect(), line.chunks(1).collect()] {
                let parts = texts(&chunks);
                assert_eq!(parts, ["x".repeat(LONGEST_PART - before), format!("{character}end\n")]);
            }
        }
    }

    /// Random bytes, cut anywhere, come out as they are put together again.
    #[test]
    fn whatever_is_written_is_what_is_read() {
        let mut state = 1u32;
        let mut next = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 8
        };
        for _ in 0..20 {
            let length = next() as usize % 100_000;
            let bytes: Vec<u8> = (0..length).map(|_| if next() % 50 == 0 { b'\n' } else { next() as u8 }).collect();
            let mut chunks: Vec<&[u8]> = Vec::new();
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let (chunk, after) = rest.split_at((next() as usize % 70_000 + 1).min(rest.len()));
                chunks.push(chunk);
                rest = after;
            }
            let mut expected = String::from_utf8_lossy(&bytes).into_owned();
            if !expected.ends_with('\n') && !expected.is_empty() {
                expected.push('\n');
            }
            assert!(texts(&chunks).concat() == expected);
        }
    }

    #[test]
    fn files_are_turned_and_the_oldest_goes() {
        for max_files in [1, 2, 3] {
            let dir = tempfile::tempdir().unwrap();
            let spec = LogSpec { max_size: 400, max_files, ..LogSpec::default() };
            let mut pending = Pending::new("stdout");
            // Opened anew in between, as at a restart of the container.
            for run in 0..3 {
                let mut log = Log::open(dir.path(), spec).unwrap();
                for line in 0..10 {
                    log.output(&mut pending, format!("line {}\n", run * 10 + line).as_bytes());
                }
            }
            let path = dir.path().join(FILE_NAME);
            let kept: Vec<_> = (1..max_files).rev().map(|number| older(&path, number)).chain([path.clone()]).collect();
            let found = std::fs::read_dir(dir.path()).unwrap().count();
            assert_eq!(found, kept.len(), "{max_files}");
            let lines: Vec<_> = kept.iter().flat_map(|path| entries(path)).map(|(text, _)| text).collect();
            let first = 30 - lines.len();
            let expected: Vec<_> = (first..30).map(|line| format!("line {line}\n")).collect();
            assert_eq!(lines, expected);
            for path in &kept {
                let size = std::fs::metadata(path).unwrap().len();
                assert!(size < 500 && (path == kept.last().unwrap() || size >= 400), "{size}");
            }
        }
    }

    #[test]
    fn one_large_read_fills_many_files() {
        let dir = tempfile::tempdir().unwrap();
        let spec = LogSpec { max_size: 1000, max_files: 4, ..LogSpec::default() };
        let mut log = Log::open(dir.path(), spec).unwrap();
        log.output(&mut Pending::new("stdout"), "a line\n".repeat(1000).as_bytes());
        let path = dir.path().join(FILE_NAME);
        let sizes: Vec<u64> = (1..4).map(|number| std::fs::metadata(older(&path, number)).unwrap().len()).collect();
        assert!(sizes.iter().all(|size| (1000..1100).contains(size)), "{sizes:?}");
        assert!(!older(&path, 4).exists());
    }

    #[test]
    fn a_log_that_was_cut_short_goes_on_with_a_line_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        std::fs::write(&path, "{\"log\":\"half").unwrap();
        let mut log = Log::open(dir.path(), LogSpec::default()).unwrap();
        log.output(&mut Pending::new("stdout"), b"whole\n");
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[1].starts_with("{\"log\":\"whole\\n\""));
    }

    #[test]
    fn nothing_is_kept_when_nobody_wants_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = Log::open(dir.path(), LogSpec { driver: LogDriver::None, ..LogSpec::default() }).unwrap();
        let mut pending = Pending::new("stdout");
        log.output(&mut pending, "x".repeat(100_000).as_bytes());
        log.finish(&mut pending);
        assert!(pending.bytes.is_empty());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
