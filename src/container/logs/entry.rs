//! One entry of the log, and how entries become lines.

use crate::model::{LogLine, LogOptions, Stream};
use serde::Deserialize;
use std::borrow::Cow;

/// A line of Docker's json-file format. An entry without a line end is a part of a longer line, which
/// the monitor cuts at 16 KiB.
#[derive(Deserialize)]
pub struct Entry<'a> {
    #[serde(borrow)]
    log: Cow<'a, str>,
    #[serde(borrow)]
    stream: Cow<'a, str>,
    time: jiff::Timestamp,
    /// Parts of a long line after the first have a number.
    #[serde(default)]
    part: Option<u32>,
}

impl<'a> Entry<'a> {
    /// `None` when a crash cut it short.
    pub fn parse(json: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(json).ok()
    }

    /// Where it was written to.
    pub fn stream(&self) -> Stream {
        if self.stream == "stderr" { Stream::Stderr } else { Stream::Stdout }
    }

    /// Whether a line begins with it.
    pub fn is_first(&self) -> bool {
        self.part.is_none_or(|part| part <= 1)
    }
}

/// Joins the parts of long lines, for each stream by itself.
#[derive(Default)]
pub struct Joiner {
    partial: [Option<LogLine>; 2],
}

impl Joiner {
    /// Takes one line of the file; gives the lines of the log that have ended with it: that which it ends, and before it
    /// that whose end was lost. A line that is not an entry (a crash cut it short) is passed over.
    pub fn push(&mut self, json: &[u8]) -> [Option<LogLine>; 2] {
        let Some(entry) = Entry::parse(json) else { return [None, None] };
        let stream = entry.stream();
        let slot = &mut self.partial[stream as usize];
        let unended = if entry.is_first() { slot.take() } else { None };
        let (text, ended) = match entry.log.strip_suffix('\n') {
            Some(text) => (text, true),
            None => (&*entry.log, false),
        };
        match slot {
            Some(line) => line.text.extend_from_slice(text.as_bytes()),
            None => *slot = Some(LogLine { text: text.as_bytes().to_vec(), stream, time: entry.time }),
        }
        [unended, if ended { slot.take() } else { None }]
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
    wants(line.stream, line.time, options)
}

/// Whether the options want the line that begins with this entry.
pub fn wants_entry(entry: &Entry<'_>, options: &LogOptions) -> bool {
    wants(entry.stream(), entry.time, options)
}

fn wants(stream: Stream, time: jiff::Timestamp, options: &LogOptions) -> bool {
    options.stream.is_none_or(|wanted| wanted == stream)
        && options.since.is_none_or(|since| time >= since)
        && options.before.is_none_or(|before| time < before)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(joiner: &mut Joiner, log: &str, stream: &str, part: u32) -> Vec<String> {
        let mut json = serde_json::json!({ "log": log, "stream": stream, "time": "2026-01-02T03:04:05.000000006Z" });
        if part > 1 {
            json["part"] = part.into();
        }
        let lines = joiner.push(json.to_string().as_bytes());
        lines.into_iter().flatten().map(|line| String::from_utf8(line.text).unwrap()).collect()
    }

    #[test]
    fn parts_of_a_line_are_joined_for_each_stream() {
        let none: [&str; 0] = [];
        let mut joiner = Joiner::default();
        assert_eq!(push(&mut joiner, "one ", "stdout", 1), none);
        assert_eq!(push(&mut joiner, "error\n", "stderr", 1), ["error"]);
        assert_eq!(push(&mut joiner, "long ", "stdout", 2), none);
        assert_eq!(push(&mut joiner, "line\n", "stdout", 3), ["one long line"]);
        // The end was lost, or the beginning.
        assert_eq!(push(&mut joiner, "half", "stdout", 1), none);
        assert_eq!(push(&mut joiner, "whole\n", "stdout", 1), ["half", "whole"]);
        assert_eq!(push(&mut joiner, "end\n", "stdout", 4), ["end"]);
        assert_eq!(push(&mut joiner, "no end", "stdout", 1), none);
        let rest: Vec<_> = joiner.finish().map(|line| line.text).collect();
        assert_eq!(rest, [b"no end"]);
    }

    #[test]
    fn a_line_that_a_crash_cut_short_is_passed_over() {
        assert!(Joiner::default().push(b"{\"log\":\"x").iter().all(Option::is_none));
    }
}
