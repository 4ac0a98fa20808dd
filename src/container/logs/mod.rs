//! Reads the log of a container, which its monitor writes in Docker's json-file format.

mod backward;
mod entry;
mod follow;

pub use follow::read;

/// Name of the log in the container's folder.
pub const FILE_NAME: &str = "container.log";

use crate::error::Result;
use crate::model::{LogLine, LogOptions};
use std::path::Path;

/// The end of a log as text, at most `bytes` of it: what is drawn below an error, and what a removed
/// container leaves behind.
pub fn tail_text(path: &Path, bytes: usize) -> Result<String> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    let mut size = 0;
    let options = LogOptions { tail: Some(bytes / 8), ..LogOptions::default() };
    follow::read_ended(path, &options, &mut |line: LogLine| {
        size += line.text.len() + 1;
        lines.push(line.text);
        Ok(true)
    })?;
    let mut start = 0;
    while size > bytes && start < lines.len() {
        size -= lines[start].len() + 1;
        start += 1;
    }
    let mut text = String::new();
    for line in &lines[start..] {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    }
    Ok(text)
}
