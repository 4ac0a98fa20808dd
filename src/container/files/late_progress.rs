//! Progress that shows itself only when a copy takes long.

use crate::context::{Context, ProgressItem};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Nobody wants to see what is over sooner.
const LONG: Duration = Duration::from_millis(300);

/// Bytes that are counted from the start, and shown from [`LONG`] on.
pub struct LateProgress<'a> {
    cx: &'a Context,
    label: &'static str,
    started: Instant,
    before: AtomicU64,
    shown: OnceLock<Box<dyn ProgressItem>>,
}

impl<'a> LateProgress<'a> {
    /// Starts now.
    pub fn new(cx: &'a Context, label: &'static str) -> Self {
        Self { cx, label, started: Instant::now(), before: AtomicU64::new(0), shown: OnceLock::new() }
    }

    /// So many more bytes are done.
    pub fn advance(&self, bytes: u64) {
        if let Some(shown) = self.shown.get() {
            shown.advance(bytes);
        } else if self.started.elapsed() < LONG {
            self.before.fetch_add(bytes, Ordering::Relaxed);
        } else {
            let shown = self.shown.get_or_init(|| self.cx.progress.start(self.label, None));
            shown.advance(bytes + self.before.load(Ordering::Relaxed));
        }
    }
}
