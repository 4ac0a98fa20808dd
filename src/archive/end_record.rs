//! The proof that a backup is whole: its last member says what came before.
//!
//! It is a global extended header with the standard keyword `comment`, which every tar reads and passes over.

use sha2::{Digest as _, Sha256};
use std::io::{self, Write};

/// How the comment starts.
const NAME: &str = "shanty-backup";

/// What came before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndRecord {
    /// SHA-256 of all bytes before, in hexadecimal digits.
    pub sha256: String,
    /// Members.
    pub entries: u64,
    /// Those bytes.
    pub bytes: u64,
}

impl EndRecord {
    /// Reads a comment; `None` for one of somebody else.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut words = std::str::from_utf8(text).ok()?.split(' ');
        if words.next() != Some(NAME) {
            return None;
        }
        let (mut sha256, mut entries, mut bytes) = (None, None, None);
        // What a later version adds is that version's to check.
        for word in words {
            match word.split_once('=')? {
                ("sha256", digits) => sha256 = Some(digits.to_owned()),
                ("entries", number) => entries = number.parse().ok(),
                ("bytes", number) => bytes = number.parse().ok(),
                _ => {}
            }
        }
        Some(Self { sha256: sha256?, entries: entries?, bytes: bytes? })
    }
}

impl std::fmt::Display for EndRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{NAME} sha256={} entries={} bytes={}", self.sha256, self.entries, self.bytes)
    }
}

/// Bytes that pass, and their digest so far.
#[derive(Clone, Default)]
pub struct Passed {
    hash: Sha256,
    bytes: u64,
}

impl Passed {
    /// More of them.
    pub fn update(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    /// The record of what has passed.
    pub fn record(&self, entries: u64) -> EndRecord {
        EndRecord {
            sha256: crate::model::Digest::from_sha256(&self.hash.clone().finalize()).hex().to_owned(),
            entries,
            bytes: self.bytes,
        }
    }
}

/// Writes what it is given, and keeps the digest of it.
pub struct Hashing<W> {
    output: W,
    passed: Passed,
}

impl<W: Write> Hashing<W> {
    /// Nothing has passed yet.
    pub fn new(output: W) -> Self {
        Self { output, passed: Passed::default() }
    }

    /// What has passed.
    pub fn passed(&self) -> &Passed {
        &self.passed
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.output.write(bytes)?;
        self.passed.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written_and_others_are_left_alone() {
        let record = EndRecord { sha256: "ab".repeat(32), entries: 3, bytes: 5120 };
        assert_eq!(EndRecord::parse(record.to_string().as_bytes()), Some(record.clone()));
        assert_eq!(EndRecord::parse(format!("{record} more=1").as_bytes()), Some(record));
        for text in ["", "0123abc", "shanty-backup", "shanty-backup sha256=x entries=y bytes=1", "shanty-backups a=b"] {
            assert_eq!(EndRecord::parse(text.as_bytes()), None, "{text}");
        }
    }
}
