//! Gives the lines of a log, and goes on as they come.

use super::backward::start_of_tail;
use super::entry::{Joiner, wanted};
use crate::context::Context;
use crate::error::{IoContext, Result};
use crate::model::{LogLine, LogOptions};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

/// Receives lines; `false` ends the reading.
type OnLine<'a> = &'a mut dyn FnMut(LogLine) -> Result<bool>;

/// Gives each line that the options want, oldest first. With `follow` it goes on until `ended` says that
/// nothing more can come. `false` when there is no log.
pub fn read(
    cx: &Context,
    path: &Path,
    options: &LogOptions,
    ended: &mut dyn FnMut() -> Result<bool>,
    on_line: OnLine<'_>,
) -> Result<bool> {
    let watch = if options.follow { Some(Watch::new(path)?) } else { None };
    let Some(mut reader) = LogReader::open(path, options)? else {
        return Ok(false);
    };
    loop {
        // Asked before reading: what is written between the answer and the reading is not lost.
        let last = match watch {
            Some(_) => ended()?,
            None => true,
        };
        if !reader.drain(cx, last, on_line)? || last {
            return Ok(true);
        }
        if let Some(watch) = &watch {
            watch.wait(cx)?;
        }
    }
}

/// Gives each line of a log that does not grow any more.
pub fn read_ended(path: &Path, options: &LogOptions, on_line: OnLine<'_>) -> Result<()> {
    read(&Context::background(), path, options, &mut || Ok(true), on_line).map(drop)
}

struct LogReader<'a> {
    reader: BufReader<File>,
    options: &'a LogOptions,
    joiner: Joiner,
    /// The end of a line that has not been written whole.
    partial: Vec<u8>,
    /// With `tail`: the last lines so far, until the present end of the file is reached.
    held: Option<VecDeque<LogLine>>,
}

impl<'a> LogReader<'a> {
    fn open(path: &Path, options: &'a LogOptions) -> Result<Option<Self>> {
        let file = match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened.doing(|| "cannot open the log")?,
        };
        let mut reader = BufReader::with_capacity(64 * 1024, file);
        if let Some(count) = options.tail {
            let end = reader.get_ref().metadata().doing(|| "cannot read the log")?.len();
            let start = start_of_tail(reader.get_ref(), end, count, options).doing(|| "cannot read the log")?;
            reader.seek(SeekFrom::Start(start)).doing(|| "cannot read the log")?;
        }
        let held = options.tail.map(|_| VecDeque::new());
        Ok(Some(Self { reader, options, joiner: Joiner::default(), partial: Vec::new(), held }))
    }

    /// Reads to the present end of the file, which with `last` is the end of all; `false` when the
    /// receiver has enough.
    fn drain(&mut self, cx: &Context, last: bool, on_line: OnLine<'_>) -> Result<bool> {
        loop {
            cx.check()?;
            let read = self.reader.read_until(b'\n', &mut self.partial).doing(|| "cannot read the log")?;
            if self.partial.last() != Some(&b'\n') {
                if read > 0 {
                    continue;
                }
                if last {
                    let rest: Vec<_> = self.joiner.finish().collect();
                    for line in rest {
                        if !self.take(line, on_line)? {
                            return Ok(false);
                        }
                    }
                }
                return self.release(on_line);
            }
            let line = self.joiner.push(&self.partial);
            self.partial.clear();
            if let Some(line) = line
                && !self.take(line, on_line)?
            {
                return Ok(false);
            }
        }
    }

    fn take(&mut self, line: LogLine, on_line: OnLine<'_>) -> Result<bool> {
        if !wanted(&line, self.options) {
            return Ok(true);
        }
        let Some(held) = &mut self.held else {
            return on_line(line);
        };
        held.push_back(line);
        if held.len() > self.options.tail.unwrap_or(usize::MAX) {
            held.pop_front();
        }
        Ok(true)
    }

    /// The end of the file as it was: what `tail` held back is given, and new lines go straight on.
    fn release(&mut self, on_line: OnLine<'_>) -> Result<bool> {
        for line in self.held.take().into_iter().flatten() {
            if !on_line(line)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Wakes up when the log grows.
struct Watch(Inotify);

impl Watch {
    fn new(path: &Path) -> Result<Self> {
        let doing = || "cannot watch the log";
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).doing(doing)?;
        match inotify.add_watch(path, AddWatchFlags::IN_MODIFY) {
            // A container that was never started has no log: there is nothing to wait for.
            Err(nix::errno::Errno::ENOENT) => {}
            added => {
                added.doing(doing)?;
            }
        }
        Ok(Self(inotify))
    }

    /// Returns when something was written, and now and then, so that the container's end is seen.
    fn wait(&self, cx: &Context) -> Result<()> {
        cx.cancel.wait_readable(Some(self.0.as_fd()), Some(Duration::from_millis(100)))?;
        while self.0.read_events().is_ok_and(|events| !events.is_empty()) {}
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    fn entry(log: &str, stream: &str, second: u32) -> String {
        let time = format!("2026-01-02T03:04:{second:02}.000000000Z");
        serde_json::json!({ "log": log, "stream": stream, "time": time }).to_string() + "\n"
    }

    fn log_of(entries: &[String]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), entries.concat()).unwrap();
        file
    }

    fn texts(path: &Path, options: &LogOptions) -> Vec<String> {
        let mut lines = Vec::new();
        read_ended(path, options, &mut |line| {
            lines.push(String::from_utf8(line.text).unwrap());
            Ok(true)
        })
        .unwrap();
        lines
    }

    #[test]
    fn options_choose_lines() {
        let file = log_of(&[
            entry("a\n", "stdout", 1),
            entry("b\n", "stderr", 2),
            entry("c1", "stdout", 3),
            entry("c2\n", "stdout", 4),
            entry("d\n", "stderr", 5),
        ]);
        let unfinished = log_of(&[entry("a\n", "stdout", 1), entry("b", "stdout", 2)]);
        assert_eq!(texts(unfinished.path(), &LogOptions { tail: Some(1), ..LogOptions::default() }), ["b"]);
        let since = Some("2026-01-02T03:04:02Z".parse().unwrap());
        let before = Some("2026-01-02T03:04:05Z".parse().unwrap());
        let cases = [
            (LogOptions::default(), vec!["a", "b", "c1c2", "d"]),
            (LogOptions { tail: Some(2), ..LogOptions::default() }, vec!["c1c2", "d"]),
            (LogOptions { tail: Some(0), ..LogOptions::default() }, vec![]),
            (LogOptions { tail: Some(1), ..LogOptions::default() }, vec!["d"]),
            (LogOptions { stream: Some(crate::model::Stream::Stderr), ..LogOptions::default() }, vec!["b", "d"]),
            (LogOptions { since, before, ..LogOptions::default() }, vec!["b", "c1c2"]),
        ];
        for (options, expected) in cases {
            assert_eq!(texts(file.path(), &options), expected, "{options:?}");
        }
    }

    #[test]
    fn a_tail_of_a_long_log_is_exact() {
        let mut text = String::new();
        for i in 0..20_000 {
            let _ = write!(text, "{}", entry(&format!("line {i}\n"), "stdout", 0));
        }
        let file = log_of(&[text]);
        let lines = texts(file.path(), &LogOptions { tail: Some(1_500), ..LogOptions::default() });
        assert_eq!((lines.len(), lines[0].as_str()), (1_500, "line 18500"));
    }

    #[test]
    fn following_ends_with_the_container_and_loses_nothing() {
        let file = log_of(&[entry("first\n", "stdout", 1)]);
        let path = file.path().to_owned();
        let mut lines = Vec::new();
        let mut asked = 0;
        let options = LogOptions { follow: true, ..LogOptions::default() };
        let mut ended = || {
            asked += 1;
            if asked == 2 {
                use std::io::Write as _;
                let mut log = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
                write!(log, "{}", entry("second\n", "stdout", 2) + entry("no line end", "stdout", 3).as_str()).unwrap();
            }
            Ok(asked >= 2)
        };
        read(&Context::background(), file.path(), &options, &mut ended, &mut |line| {
            lines.push(String::from_utf8(line.text).unwrap());
            Ok(true)
        })
        .unwrap();
        assert_eq!(lines, ["first", "second", "no line end"]);
    }
}
