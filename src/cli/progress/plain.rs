//! Progress where there is no terminal: warnings, and the steps of builds as lines, in BuildKit's form.

use super::output_lines::OutputLines;
use crate::context::{Progress, ProgressItem, Silent, StepProgress};
use crate::model::Stream;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Where lines go.
type Sink = Arc<Mutex<dyn Write + Send>>;

/// Lines: `#3 [build 2/4] RUN make`, `#3 0.214 output`, `#3 DONE 1.2s`.
pub struct Plain {
    sink: Sink,
    steps: AtomicU64,
}

impl Default for Plain {
    fn default() -> Self {
        Self::to(Arc::new(Mutex::new(io::stderr())))
    }
}

impl Plain {
    fn to(sink: Sink) -> Self {
        Self { sink, steps: AtomicU64::new(0) }
    }
}

impl Progress for Plain {
    fn start(&self, _label: &str, _total: Option<u64>) -> Box<dyn ProgressItem> {
        Box::new(Silent)
    }

    fn step(&self, label: &str) -> Box<dyn StepProgress> {
        let number = self.steps.fetch_add(1, Ordering::Relaxed) + 1;
        let step = PlainStep { sink: self.sink.clone(), number, started: Instant::now(), output: Mutex::default() };
        // One line, whatever the label says.
        let label = OutputLines::default().push(format!("{}\n", label.replace('\n', " ")).as_bytes()).concat();
        step.write(&[label]);
        Box::new(step)
    }

    fn note(&self, _text: &str) {}

    fn warn(&self, text: &str) {
        eprintln!("warning: {text}");
    }
}

struct PlainStep {
    sink: Sink,
    number: u64,
    started: Instant,
    output: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Of standard output and error output.
    lines: [OutputLines; 2],
    ended: bool,
}

impl PlainStep {
    /// All of them or none: other steps write too.
    fn write(&self, lines: &[String]) {
        let text = lines.iter().map(|line| format!("#{} {line}\n", self.number)).collect::<Vec<_>>().concat();
        // Nobody can be told that it cannot be written.
        let _ = self.sink.lock().unwrap_or_else(PoisonError::into_inner).write_all(text.as_bytes());
    }

    fn timed(&self, line: &str) -> String {
        format!("{:.3} {line}", self.started.elapsed().as_secs_f64())
    }

    fn end(&self, how: &str) {
        let mut state = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::replace(&mut state.ended, true) {
            return;
        }
        let rest = state.lines.iter_mut().filter_map(OutputLines::finish).map(|line| self.timed(&line));
        // An empty line behind each step.
        self.write(&rest.chain([format!("{how}\n")]).collect::<Vec<_>>());
    }

    fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }
}

impl StepProgress for PlainStep {
    fn output(&self, stream: Stream, bytes: &[u8]) {
        let mut state = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = state.lines[usize::from(stream == Stream::Stderr)].push(bytes);
        if !lines.is_empty() {
            self.write(&lines.iter().map(|line| self.timed(line)).collect::<Vec<_>>());
        }
    }

    fn cached(&self) {
        self.end("CACHED");
    }

    fn done(&self) {
        self.end(&format!("DONE {:.1}s", self.seconds()));
    }

    fn failed(&self) {
        self.end(&format!("ERROR {:.1}s", self.seconds()));
    }
}

impl Drop for PlainStep {
    fn drop(&mut self) {
        self.end("CANCELED");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_lines_with_their_number_and_times() {
        let written: Arc<Mutex<Vec<u8>>> = Arc::default();
        let plain = Plain::to(written.clone());
        let (first, second) = (plain.step("[build 1/2] RUN a\nb"), plain.step("[2/2] COPY \u{1b}[31m. /"));
        first.output(Stream::Stdout, b"out \x1b[31mred\nunfinished");
        second.cached();
        first.output(Stream::Stderr, b"err\n");
        first.done();
        drop(first);
        drop(second);
        plain.step("third").failed();
        drop(plain.step("fourth"));
        let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        // Times differ.
        let is_time = |word: &str| word.trim_end_matches('s').parse::<f64>().is_ok() && word.contains('.');
        let lines: Vec<String> = text
            .lines()
            .map(|line| {
                line.split(' ').map(|word| if is_time(word) { "T" } else { word }).collect::<Vec<_>>().join(" ")
            })
            .collect();
        let expected = [
            "#1 [build 1/2] RUN a b",
            "#2 [2/2] COPY . /",
            "#1 T out red",
            "#2 CACHED",
            "",
            "#1 T err",
            "#1 T unfinished",
            "#1 DONE T",
            "",
            "#3 third",
            "#3 ERROR T",
            "",
            "#4 fourth",
            "#4 CANCELED",
            "",
        ];
        assert_eq!(lines, expected);
    }
}
