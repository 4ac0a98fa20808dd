//! Progress of what takes long, without saying how it is shown.

use crate::model::Stream;

/// Receives the progress of an operation. The terminal shows bars; everything else stays silent.
pub trait Progress: Send + Sync {
    /// Something that takes long starts; `total` in bytes, where known.
    fn start(&self, label: &str, total: Option<u64>) -> Box<dyn ProgressItem>;
    /// A step of a build begins; `label` such as `[build 2/4] RUN make`.
    fn step(&self, _label: &str) -> Box<dyn StepProgress> {
        Box::new(Silent)
    }
    /// One line for a person who watches: what is being done now.
    fn note(&self, text: &str);
    /// One line for everybody: what was not done as asked.
    fn warn(&self, text: &str);
}

/// One thing in progress. Dropping it ends it.
pub trait ProgressItem: Send + Sync {
    /// So many more bytes are done.
    fn advance(&self, bytes: u64);
    /// What is being done to it now, such as `verifying`.
    fn phase(&self, phase: &str);
}

/// A step of a build. Dropped without a word of its end, it was given up.
pub trait StepProgress: Send + Sync {
    /// Its program has written something: any bytes, cut anywhere.
    fn output(&self, stream: Stream, bytes: &[u8]);
    /// It ends: it was done before.
    fn cached(&self);
    /// It ends well.
    fn done(&self);
    /// It ends, and the build with it.
    fn failed(&self);
}

/// Shows nothing.
pub struct Silent;

impl Progress for Silent {
    fn start(&self, _label: &str, _total: Option<u64>) -> Box<dyn ProgressItem> {
        Box::new(Silent)
    }
    fn note(&self, _text: &str) {}
    fn warn(&self, _text: &str) {}
}

impl ProgressItem for Silent {
    fn advance(&self, _bytes: u64) {}
    fn phase(&self, _phase: &str) {}
}

impl StepProgress for Silent {
    fn output(&self, _stream: Stream, _bytes: &[u8]) {}
    fn cached(&self) {}
    fn done(&self) {}
    fn failed(&self) {}
}
