//! One entry of the log, and how entries become lines.

use crate::model::{LogLine, LogOptions, Stream};
use serde::Deserialize;
use std::borrow::Cow;

/// A line of Docker's json-file format. An entry without a line end is a part of a longer line, which
/// the monitor cuts at 16 KiB.
#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    log: Cow<'a, str>,
    #[serde(borrow)]
    stream: Cow<'a, str>,
    time: jiff::Timestamp,
}

/// Joins the parts of long lines, for each stream by itself.
#[derive(Default)]
pub struct Joiner {
    partial: [Option<LogLine>; 2],
}

impl Joiner {
    /// Takes one line of the file; gives a whole line of the log once there is one.
    /// A line that is not an entry (a crash cut it short) is passed over.
    pub fn push(&mut self, json: &[u8]) -> Option<LogLine> {
        let entry: Entry<'_> = serde_json::from_slice(json).ok()?;
        let stream = if entry.stream == "stderr" { Stream::Stderr } else { Stream::Stdout };
        let slot = &mut self.partial[stream as usize];
        let (text, ended) = match entry.log.strip_suffix('\n') {
            Some(text) => (text, true),
            None => (&*entry.log, false),
        };
        match slot {
            Some(line) => line.text.extend_from_slice(text.as_bytes()),
            None => *slot = Some(LogLine { text: text.as_bytes().to_vec(), stream, time: entry.time }),
        }
        if ended { slot.take() } else { None }
    }

    /// What was written without a line end, once nothing more can come.
    pub fn finish(&mut self) -> impl Iterator<Item = LogLine> {
        let mut rest: Vec<LogLine> = self.partial.iter_mut().filter_map(Option::take).collect();
        rest.sort_by_key(|line| line.time);
        rest.into_iter()
    }
}

/// Whether the options want this line; `tail` is not looked at here.
pub fn wanted(line: &LogLine, options: &LogOptions) -> bool {
    options.stream.is_none_or(|stream| stream == line.stream)
        && options.since.is_none_or(|since| line.time >= since)
        && options.before.is_none_or(|before| line.time < before)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(joiner: &mut Joiner, log: &str, stream: &str) -> Option<String> {
        let json = serde_json::json!({ "log": log, "stream": stream, "time": "2026-01-02T03:04:05.000000006Z" });
        joiner.push(json.to_string().as_bytes()).map(|line| String::from_utf8(line.text).unwrap())
    }

    #[test]
    fn parts_of_a_line_are_joined_for_each_stream() {
        let mut joiner = Joiner::default();
        assert_eq!(push(&mut joiner, "one ", "stdout"), None);
        assert_eq!(push(&mut joiner, "error\n", "stderr"), Some("error".into()));
        assert_eq!(push(&mut joiner, "line\n", "stdout"), Some("one line".into()));
        assert_eq!(push(&mut joiner, "no end", "stdout"), None);
        let rest: Vec<_> = joiner.finish().map(|line| line.text).collect();
        assert_eq!(rest, [b"no end"]);
    }

    #[test]
    fn a_line_that_a_crash_cut_short_is_passed_over() {
        assert!(Joiner::default().push(b"{\"log\":\"x").is_none());
    }
}
