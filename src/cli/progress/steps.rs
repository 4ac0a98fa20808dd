//! Steps of builds on a terminal: those that have ended are lines, those that run are drawn below, with the end of their output.

use super::output_lines::OutputLines;
use crate::context::StepProgress;
use crate::model::Stream;
use console::{Term, measure_text_width, truncate_str};
use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};
use std::collections::VecDeque;
use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often a running step is drawn.
const TICK: Duration = Duration::from_millis(100);
/// Most lines of a step's output that are shown.
const MOST_LINES: usize = 5;
/// Before the lines of its output.
const INDENT: &str = "    ";

/// Those that run now.
#[derive(Clone, Default)]
pub struct Steps(Arc<AtomicUsize>);

impl Steps {
    /// Shows one that begins.
    pub fn start(&self, drawn: &MultiProgress, label: &str) -> Box<dyn StepProgress> {
        self.0.fetch_add(1, Ordering::Relaxed);
        let view = Arc::new(View {
            label: OutputLines::default().push(format!("{}\n", label.replace('\n', " ")).as_bytes()).concat(),
            started: Instant::now(),
            output: Mutex::default(),
        });
        let (shown, running) = (view.clone(), self.0.clone());
        let draw = move |state: &ProgressState, writer: &mut dyn Write| {
            let (rows, columns) = Term::stderr().size();
            let room = usize::from(rows) / 2 / running.load(Ordering::Relaxed).max(1);
            let lines = shown.draw(state.elapsed(), columns.into(), room.saturating_sub(1).min(MOST_LINES));
            // A line that cannot be drawn is missing, and no more.
            let _ = writer.write_str(&lines.join("\n"));
        };
        let style = ProgressStyle::with_template("{step}").unwrap_or_else(|_| ProgressStyle::default_spinner());
        let bar = drawn.add(ProgressBar::new_spinner().with_style(style.with_key("step", draw)));
        bar.enable_steady_tick(TICK);
        Box::new(Step { view, bar, drawn: drawn.clone(), running: self.clone(), ended: Mutex::new(false) })
    }
}

struct Step {
    view: Arc<View>,
    bar: ProgressBar,
    drawn: MultiProgress,
    running: Steps,
    ended: Mutex<bool>,
}

impl Step {
    /// Takes it away, and writes the line that stays.
    fn end(&self, how: Option<(&str, &str)>) {
        if std::mem::replace(&mut *self.ended.lock().unwrap_or_else(PoisonError::into_inner), true) {
            return;
        }
        self.running.0.fetch_sub(1, Ordering::Relaxed);
        self.bar.finish_and_clear();
        self.drawn.remove(&self.bar);
        if let Some((sign, end)) = how {
            let columns = Term::stderr().size().1;
            let line = fitted(sign, &self.view.label, end, columns.into());
            self.drawn.suspend(|| eprintln!("{line}"));
        }
    }
}

impl StepProgress for Step {
    fn output(&self, stream: Stream, bytes: &[u8]) {
        self.view.output().push(stream, bytes);
    }

    fn cached(&self) {
        self.end(Some(("✓", "cached")));
    }

    fn done(&self) {
        self.end(Some(("✓", &seconds(self.view.started.elapsed()))));
    }

    fn failed(&self) {
        self.end(Some(("✗", &seconds(self.view.started.elapsed()))));
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        self.end(None);
    }
}

/// What is drawn of a running step.
struct View {
    label: String,
    started: Instant,
    output: Mutex<Tail>,
}

impl View {
    fn output(&self) -> MutexGuard<'_, Tail> {
        self.output.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The step itself, and at most so many lines of its output.
    fn draw(&self, elapsed: Duration, columns: usize, most: usize) -> Vec<String> {
        const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
        let turn = elapsed.as_millis() / TICK.as_millis();
        let sign = SPINNER[(turn % SPINNER.len() as u128) as usize];
        let mut lines = vec![fitted(sign, &self.label, &seconds(elapsed), columns)];
        let tail = self.output().last(most);
        lines.extend(tail.iter().map(|line| cut(&format!("{INDENT}{line}"), columns)));
        lines
    }
}

/// The end of a program's output.
#[derive(Default)]
struct Tail {
    /// Of standard output and error output.
    streams: [OutputLines; 2],
    lines: VecDeque<String>,
}

impl Tail {
    fn push(&mut self, stream: Stream, bytes: &[u8]) {
        let lines = self.streams[usize::from(stream == Stream::Stderr)].push(bytes);
        self.lines.extend(lines.into_iter().filter(|line| !line.trim().is_empty()));
        while self.lines.len() > MOST_LINES {
            self.lines.pop_front();
        }
    }

    fn last(&self, most: usize) -> Vec<String> {
        let unfinished = self.streams.iter().filter_map(OutputLines::unfinished);
        let all: Vec<String> = self.lines.iter().cloned().chain(unfinished).collect();
        all[all.len().saturating_sub(most)..].to_vec()
    }
}

/// `SIGN LABEL  END`, of which the label is cut when the line is too long.
fn fitted(sign: &str, label: &str, end: &str, columns: usize) -> String {
    // A sign, a space, and two before the end.
    let room = columns.saturating_sub(measure_text_width(end) + 4);
    cut(&format!("{sign} {}  {end}", cut(label, room)), columns)
}

/// The last column stays free: some terminals begin a new line when it is written.
fn cut(line: &str, columns: usize) -> String {
    let room = columns.saturating_sub(1);
    truncate_str(line, room, if room > 1 { "…" } else { "" }).into_owned()
}

fn seconds(time: Duration) -> String {
    match time.as_secs() {
        0..60 => format!("{:.1}s", time.as_secs_f64()),
        seconds => format!("{}m{:02}s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(label: &str) -> View {
        View { label: label.into(), started: Instant::now(), output: Mutex::default() }
    }

    #[test]
    fn a_running_step_has_its_time_and_the_end_of_its_output() {
        let view = view("[build 2/4] RUN make");
        for number in 0..20 {
            view.output().push(Stream::Stdout, format!("line {number}\n\n").as_bytes());
        }
        view.output().push(Stream::Stderr, b"10%\r20%");
        let drawn = view.draw(Duration::from_millis(1_240), 80, 3);
        assert_eq!(drawn, ["⠹ [build 2/4] RUN make  1.2s", "    line 18", "    line 19", "    20%"]);
        assert_eq!(view.draw(Duration::from_secs(61), 80, 0), ["⠋ [build 2/4] RUN make  1m01s"]);
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let view = view("[build 2/4] RUN 日本語 and more than fits there");
        view.output().push(Stream::Stdout, "日本語".repeat(40).as_bytes());
        for columns in 0..100 {
            for line in view.draw(Duration::from_secs(3), columns, 4) {
                assert!(measure_text_width(&line) <= columns.saturating_sub(1), "{columns}: {line:?}");
            }
        }
        assert_eq!(view.draw(Duration::from_secs(3), 30, 0), ["⠋ [build 2/4] RUN 日本…  3.0s"]);
    }
}
