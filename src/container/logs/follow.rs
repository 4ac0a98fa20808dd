//! Gives the lines of a log, and goes on as they come.

use super::backward::go_to_tail;
use super::entry::{Joiner, wanted};
use super::files::Files;
use crate::context::Context;
use crate::error::{IoContext, Result};
use crate::model::{LogLine, LogOptions};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use std::collections::VecDeque;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

/// Receives lines; `false` ends the reading.
type OnLine<'a> = &'a mut dyn FnMut(LogLine) -> Result<bool>;

/// Gives each line that the options want, oldest first. With `follow` it goes on until `before`, or until `ended` says
/// that nothing more can come. `false` when there is no log.
pub fn read(
    cx: &Context,
    path: &Path,
    options: &LogOptions,
    ended: &mut dyn FnMut() -> Result<bool>,
    on_line: OnLine<'_>,
) -> Result<bool> {
    let watch = if options.follow { Some(Watch::new(path)?) } else { None };
    let Some(mut reader) = LogReader::open(cx, path, options)? else {
        return Ok(false);
    };
    loop {
        // Asked before reading: what is written between the answer and the reading is not lost.
        let last = match watch {
            Some(_) => options.before.is_some_and(|before| jiff::Timestamp::now() >= before) || ended()?,
            None => true,
        };
        if !reader.drain(last, on_line)? || last {
            return Ok(true);
        }
        if let Some(watch) = &watch {
            watch.wait(cx)?;
        }
    }
}

struct LogReader<'a> {
    cx: &'a Context,
    files: Files,
    options: &'a LogOptions,
    joiner: Joiner,
    /// With `tail`: the last lines so far, until what there was at the beginning has been read.
    held: Option<VecDeque<LogLine>>,
    has_missed: bool,
}

impl<'a> LogReader<'a> {
    fn open(cx: &'a Context, path: &Path, options: &'a LogOptions) -> Result<Option<Self>> {
        let doing = || "cannot read the log";
        let Some(mut files) = Files::open(path).doing(doing)? else { return Ok(None) };
        if let Some(since) = options.since {
            files.skip_before(since).doing(doing)?;
        }
        if let Some(count) = options.tail {
            go_to_tail(&mut files, count, options).doing(doing)?;
        }
        let held = options.tail.map(|_| VecDeque::new());
        Ok(Some(Self { cx, files, options, joiner: Joiner::default(), held, has_missed: false }))
    }

    /// Reads to the present end, which with `last` is the end of all; `false` when the receiver has enough.
    fn drain(&mut self, last: bool, on_line: OnLine<'_>) -> Result<bool> {
        let mut lines = Vec::new();
        loop {
            self.cx.check()?;
            if self.options.follow && self.files.has_room() {
                self.look_again()?;
            }
            // Before it is read: what was put aside before does not grow any more.
            let is_aside = self.files.segments.len() > 1;
            let Some(segment) = self.files.segments.front_mut() else { return Ok(true) };
            segment.next_lines(&mut lines).doing(|| "cannot read the log")?;
            for json in lines.split(|byte| *byte == b'\n').filter(|json| !json.is_empty()) {
                for line in self.joiner.push(json).into_iter().flatten() {
                    self.cx.check()?;
                    if !self.take(line, on_line)? {
                        return Ok(false);
                    }
                }
            }
            if !lines.is_empty() {
                continue;
            }
            if segment_end(&mut self.files) && self.options.follow {
                if !self.release(on_line)? {
                    return Ok(false);
                }
                continue;
            }
            if is_aside {
                self.files.segments.pop_front();
                continue;
            }
            if self.options.follow {
                self.look_again()?;
                if self.files.segments.len() > 1 {
                    continue;
                }
            }
            return self.reach_end(last, on_line);
        }
    }

    fn reach_end(&mut self, last: bool, on_line: OnLine<'_>) -> Result<bool> {
        if last {
            let rest: Vec<_> = self.joiner.finish().collect();
            for line in rest {
                if !self.take(line, on_line)? {
                    return Ok(false);
                }
            }
        }
        self.release(on_line)
    }

    fn look_again(&mut self) -> Result<()> {
        let saw_all = self.files.look_again().doing(|| "cannot read the log")?;
        if !saw_all && !self.has_missed {
            self.has_missed = true;
            self.cx.progress.warn("lines are missing: the container writes its log faster than it is read");
        }
        Ok(())
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

    /// What there was at the beginning has been read: what `tail` held back is given, and new lines go straight on.
    fn release(&mut self, on_line: OnLine<'_>) -> Result<bool> {
        for line in self.held.take().into_iter().flatten() {
            if !on_line(line)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Whether reading had an end that is taken away now.
fn segment_end(files: &mut Files) -> bool {
    files.segments.front_mut().is_some_and(|segment| segment.end.take().is_some())
}

/// Wakes up when the log grows.
struct Watch(Inotify);

impl Watch {
    fn new(path: &Path) -> Result<Self> {
        let doing = || "cannot watch the log";
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).doing(doing)?;
        // The folder: the file is another one after each turn.
        let folder = path.parent().unwrap_or(path);
        match inotify.add_watch(folder, AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_MOVED_TO) {
            // It has been removed: there is nothing to wait for.
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

    fn part(log: &str, stream: &str, second: u32) -> String {
        entry(log, stream, second).replace("\"time\"", "\"part\":2,\"time\"")
    }

    fn log_of(entries: &[String]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), entries.concat()).unwrap();
        file
    }

    fn texts(path: &Path, options: &LogOptions) -> Vec<String> {
        let mut lines = Vec::new();
        read(&Context::background(), path, options, &mut || Ok(true), &mut |line| {
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
            part("c2\n", "stdout", 4),
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

    #[test]
    fn following_ends_at_a_time() {
        let file = log_of(&[entry("first\n", "stdout", 1)]);
        let before = jiff::Timestamp::now() + Duration::from_millis(50);
        let options = LogOptions { follow: true, before: Some(before), ..LogOptions::default() };
        let mut lines = 0;
        read(&Context::background(), file.path(), &options, &mut || Ok(false), &mut |_| {
            lines += 1;
            Ok(true)
        })
        .unwrap();
        assert!(lines == 1 && jiff::Timestamp::now() >= before);
    }
}
