//! Files with holes, in GNU tar's format 1.0 ("PAX Format, Version 1.0" in its manual): the data of the member starts with
//! where the data of the file is, in decimal lines, filled up to a block.

use super::header::BLOCK;
use super::reader::TarReader;
use crate::context::Context;
use crate::error::{Error, Result};
use nix::errno::Errno;
use nix::unistd::{Whence, lseek};
use std::fs::File;
use std::io::{self, BufRead, Read};
use std::os::unix::fs::FileExt;

/// Parts of one file: more are no honest archive's.
const MOST_PARTS: u64 = 16_000_000;
/// Digits of a number.
const MOST_DIGITS: usize = 20;

/// Where a file has data: offsets and lengths, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SparseMap(pub Vec<(u64, u64)>);

impl SparseMap {
    /// The map of a file of this size; `None` when it has no holes, or the file system does not tell.
    pub fn of(file: &File, size: u64) -> Option<Self> {
        let mut parts = Vec::new();
        let mut end = 0;
        while end < size {
            let start = match lseek(file, i64::try_from(end).ok()?, Whence::SeekData) {
                Err(Errno::ENXIO) => break,
                found => u64::try_from(found.ok()?).ok()?.min(size),
            };
            end = u64::try_from(lseek(file, i64::try_from(start).ok()?, Whence::SeekHole).ok()?).ok()?.min(size);
            if end <= start {
                break;
            }
            parts.push((start, end - start));
        }
        let data: u64 = parts.iter().map(|(_, length)| length).sum();
        // GNU tar finds the end of a file by its last part.
        if parts.last().is_none_or(|(start, length)| start + length < size) {
            parts.push((size, 0));
        }
        (data < size).then_some(Self(parts))
    }

    /// What stands before the data.
    pub fn text(&self) -> Vec<u8> {
        let mut text = format!("{}\n", self.0.len()).into_bytes();
        for (start, length) in &self.0 {
            text.extend_from_slice(format!("{start}\n{length}\n").as_bytes());
        }
        text.resize(text.len().next_multiple_of(BLOCK), 0);
        text
    }

    /// Bytes of data.
    pub fn data_size(&self) -> u64 {
        self.0.iter().map(|(_, length)| length).sum()
    }

    /// Reads the map at the beginning of a member's data.
    pub fn read(reader: &mut TarReader<impl BufRead>, size: u64) -> Result<Self> {
        if i64::try_from(size).is_err() {
            return Err(bad("it is larger than a file can be"));
        }
        let mut used = 0;
        let count = number(reader, &mut used)?;
        if count > MOST_PARTS {
            return Err(bad("it has too many parts"));
        }
        let (mut parts, mut end) = (Vec::new(), 0);
        for _ in 0..count {
            let (start, length) = (number(reader, &mut used)?, number(reader, &mut used)?);
            let after = start.checked_add(length).filter(|after| start >= end && *after <= size);
            end = after.ok_or_else(|| bad("its parts are not in order"))?;
            parts.push((start, length));
        }
        let mut padding = used.next_multiple_of(BLOCK) - used;
        while padding > 0 {
            let count = some(reader)?.len().min(padding);
            reader.consume(count);
            padding -= count;
        }
        Ok(Self(parts))
    }
}

/// The next line of decimal digits.
fn number(reader: &mut TarReader<impl BufRead>, used: &mut usize) -> Result<u64> {
    let mut digits = String::new();
    loop {
        let byte = some(reader)?[0];
        reader.consume(1);
        *used += 1;
        match byte {
            b'\n' => break,
            b'0'..=b'9' if digits.len() < MOST_DIGITS => digits.push(char::from(byte)),
            _ => return Err(bad("its map is no list of numbers")),
        }
    }
    digits.parse().map_err(|_| bad("a number of its map is out of range"))
}

fn some<R: BufRead>(reader: &mut TarReader<R>) -> Result<&[u8]> {
    let bytes = reader.data()?;
    if bytes.is_empty() { Err(bad("its map has no end")) } else { Ok(bytes) }
}

fn bad(why: &str) -> Error {
    Error::corrupt(format!("the archive is damaged: a sparse file is not what it should be: {why}"))
}

/// The data of a file by its map. What is missing of it by now becomes zeros.
pub struct SparseData<'a> {
    file: File,
    map: &'a SparseMap,
    part: usize,
    done: u64,
    cx: &'a Context,
}

impl<'a> SparseData<'a> {
    /// From its beginning.
    pub fn new(file: File, map: &'a SparseMap, cx: &'a Context) -> Self {
        Self { file, map, part: 0, done: 0, cx }
    }
}

impl Read for SparseData<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.cx.check().map_err(io::Error::other)?;
        while let Some((start, length)) = self.map.0.get(self.part) {
            if self.done == *length {
                (self.part, self.done) = (self.part + 1, 0);
                continue;
            }
            let room = buffer.len().min(usize::try_from(length - self.done).unwrap_or(usize::MAX));
            let mut count = self.file.read_at(&mut buffer[..room], start + self.done)?;
            if count == 0 && room > 0 {
                buffer[..room].fill(0);
                count = room;
            }
            self.done += count as u64;
            return Ok(count);
        }
        Ok(0)
    }
}
