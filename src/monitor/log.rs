//! The log of a container: Docker's json-file format, one JSON object a line.

use crate::error::{IoContext, Result};
use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Name of the log in the container's directory.
pub const FILE_NAME: &str = "container.log";
/// Longer lines are written in parts, all but the last without `\n`: Docker's limit.
pub const LONGEST_PART: usize = 16 << 10;

/// The log file.
pub struct Log {
    file: File,
}

/// What has been read of one output stream and not been written as a line yet.
pub struct Pending {
    stream: &'static str,
    bytes: Vec<u8>,
}

impl Pending {
    /// Of `stdout` or `stderr`.
    pub fn new(stream: &'static str) -> Self {
        Self { stream, bytes: Vec::new() }
    }
}

impl Log {
    /// Opens the log of a container to go on with it.
    pub fn open(container_dir: &Path) -> Result<Self> {
        let path = container_dir.join(FILE_NAME);
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        Ok(Self { file: file.doing(|| format!("cannot open the log `{}`", path.display()))? })
    }

    /// Takes output as it came; writes the lines that are complete.
    pub fn output(&mut self, pending: &mut Pending, mut bytes: &[u8]) {
        let mut text = Vec::new();
        while !bytes.is_empty() {
            let room = LONGEST_PART - pending.bytes.len();
            let end = bytes.iter().take(room).position(|byte| *byte == b'\n');
            let part = end.map_or(room.min(bytes.len()), |end| end + 1);
            if end.is_none() && part < room {
                pending.bytes.extend_from_slice(bytes);
                break;
            }
            if pending.bytes.is_empty() {
                entry(&mut text, pending.stream, &bytes[..part]);
            } else {
                pending.bytes.extend_from_slice(&bytes[..part]);
                entry(&mut text, pending.stream, &pending.bytes);
                // Given back, not kept: a monitor is to stay small between the lines.
                pending.bytes = Vec::new();
            }
            bytes = &bytes[part..];
        }
        self.write(&text);
    }

    /// The stream has ended: what it left without a line end becomes a line.
    pub fn finish(&mut self, pending: &mut Pending) {
        if !pending.bytes.is_empty() {
            let mut line = std::mem::take(&mut pending.bytes);
            line.push(b'\n');
            let mut text = Vec::new();
            entry(&mut text, pending.stream, &line);
            self.write(&text);
        }
    }

    fn write(&mut self, text: &[u8]) {
        // A full disk must not end the container: its log has a gap then.
        let _ = self.file.write_all(text);
    }
}

fn entry(text: &mut Vec<u8>, stream: &str, line: &[u8]) {
    #[derive(Serialize)]
    struct Entry<'a> {
        log: &'a str,
        stream: &'a str,
        time: jiff::Timestamp,
    }
    let entry = Entry { log: &String::from_utf8_lossy(line), stream, time: jiff::Timestamp::now() };
    // Writing strings to memory cannot fail.
    let _ = serde_json::to_writer(&mut *text, &entry);
    text.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a reader finds after these chunks of output and the end.
    fn written(chunks: &[&[u8]]) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let mut log = Log::open(dir.path()).unwrap();
        let mut pending = Pending::new("stdout");
        for chunk in chunks {
            log.output(&mut pending, chunk);
        }
        log.finish(&mut pending);
        let text = std::fs::read_to_string(dir.path().join(FILE_NAME)).unwrap();
        text.lines()
            .map(|line| {
                let entry: serde_json::Value = serde_json::from_str(line).unwrap();
                assert_eq!(entry["stream"], "stdout");
                entry["time"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
                entry["log"].as_str().unwrap().to_owned()
            })
            .collect()
    }

    #[test]
    fn lines_are_put_together_and_taken_apart() {
        assert_eq!(written(&[b"a\nb", b"c\n", b"\n", b"d"]), ["a\n", "bc\n", "\n", "d\n"]);
        assert_eq!(written(&[b"quote \" tab \t bad \xff\n"]), ["quote \" tab \t bad \u{fffd}\n"]);
        assert!(written(&[b""]).is_empty());
    }

    #[test]
    fn long_lines_come_in_parts_of_16_kib() {
        let long = vec![b'x'; 2 * LONGEST_PART + 3];
        let lengths = |chunks: &[&[u8]]| written(chunks).iter().map(String::len).collect::<Vec<_>>();
        assert_eq!(lengths(&[&long, b"\n"]), [LONGEST_PART, LONGEST_PART, 4]);
        assert_eq!(lengths(&[&long[..5], &long[5..], b"y\nz\n"]), [LONGEST_PART, LONGEST_PART, 5, 2]);
        assert_eq!(lengths(&[&long[..LONGEST_PART - 1], b"\n"]), [LONGEST_PART]);
    }
}
