//! How much a container can make us do at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Lets a number in at a time.
pub struct Gate {
    inside: AtomicUsize,
    most: usize,
}

/// One that was let in, until it is dropped: by a thread that panics too.
pub struct Pass(Arc<Gate>);

impl Gate {
    /// For at most `most`.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { inside: AtomicUsize::new(0), most })
    }

    /// Lets one in, when there is room.
    pub fn enter(self: &Arc<Self>) -> Option<Pass> {
        let more = |inside| (inside < self.most).then_some(inside + 1);
        self.inside.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Pass(Arc::clone(self)))
    }

    /// Whether nobody is in.
    pub fn is_empty(&self) -> bool {
        self.inside.load(Ordering::Relaxed) == 0
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, Ordering::Relaxed);
    }
}
