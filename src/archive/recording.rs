//! A reader that writes down what passes through it.

use crate::error::{IoContext, Result};
use crate::sys::writeback;
use std::fs::File;
use std::io::{self, BufRead, Read, Write};

/// After so many bytes the disk is set to work: what is left for the `fsync` at the end is short.
const WRITEBACK: u64 = 8 << 20;

/// Gives what `source` gives, after it was written to a file.
pub struct Recording<'a, R> {
    source: R,
    output: &'a File,
    /// Bytes at the start of the source's buffer that were written and not yet used.
    ahead: usize,
    written: u64,
}

impl<'a, R: BufRead> Recording<'a, R> {
    pub fn new(source: R, output: &'a File) -> Self {
        Self { source, output, ahead: 0, written: 0 }
    }

    /// How many bytes were written.
    pub fn finish(self) -> u64 {
        debug_assert_eq!(self.ahead, 0, "all was read");
        self.written
    }
}

impl<R: BufRead> BufRead for Recording<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let buffer = self.source.fill_buf()?;
        if let Some(fresh) = buffer.get(self.ahead..).filter(|fresh| !fresh.is_empty()) {
            let written: Result<()> = self.output.write_all(fresh).doing(|| "cannot write a layer");
            written.map_err(io::Error::other)?;
            self.ahead = buffer.len();
            let before = self.written / WRITEBACK;
            self.written += fresh.len() as u64;
            if self.written / WRITEBACK > before {
                writeback::start(self.output);
            }
        }
        Ok(buffer)
    }

    fn consume(&mut self, count: usize) {
        self.source.consume(count);
        self.ahead -= count;
    }
}

impl<R: BufRead> Read for Recording<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let count = available.len().min(buffer.len());
        buffer[..count].copy_from_slice(&available[..count]);
        self.consume(count);
        Ok(count)
    }
}
