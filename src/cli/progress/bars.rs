//! Progress on a terminal: a bar for each thing that takes long, on standard error.

use super::steps::Steps;
use crate::context::{Progress, ProgressItem, StepProgress};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::time::Duration;

/// Bars and steps on the terminal; what is printed meanwhile goes above them.
#[derive(Clone, Default)]
pub struct Bars {
    drawn: MultiProgress,
    steps: Steps,
}

impl Bars {
    /// Does `print` with the bars out of the way.
    pub fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        self.drawn.suspend(print)
    }
}

impl Progress for Bars {
    fn start(&self, label: &str, total: Option<u64>) -> Box<dyn ProgressItem> {
        let (bar, template) = match total {
            Some(total) => (ProgressBar::new(total), "{prefix:>24} [{bar:30}] {bytes}/{total_bytes} {msg}"),
            None => (ProgressBar::new_spinner(), "{prefix:>24} {spinner} {msg}"),
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = self.drawn.add(bar.with_style(style.progress_chars("=> ")).with_prefix(label.to_owned()));
        bar.enable_steady_tick(Duration::from_millis(100));
        Box::new(Bar(bar))
    }

    fn step(&self, label: &str) -> Box<dyn StepProgress> {
        self.steps.start(&self.drawn, label)
    }

    fn note(&self, text: &str) {
        self.suspend(|| eprintln!("{text}"));
    }

    fn warn(&self, text: &str) {
        self.suspend(|| eprintln!("warning: {text}"));
    }
}

struct Bar(ProgressBar);

impl ProgressItem for Bar {
    fn advance(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    fn phase(&self, phase: &str) {
        self.0.set_message(phase.to_owned());
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
