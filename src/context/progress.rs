//! Progress of what takes long, without saying how it is shown.

/// Receives the progress of an operation. The terminal shows bars; everything else stays silent.
pub trait Progress: Send + Sync {
    /// Something that takes long starts; `total` in bytes, where known.
    fn start(&self, label: &str, total: Option<u64>) -> Box<dyn ProgressItem>;
    /// A step of a build starts.
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

/// A step of a build.
pub trait StepProgress: Send + Sync {
    /// Its command wrote something.
    fn output(&self, stream: crate::model::Stream, bytes: &[u8]);
    /// It was found in the cache.
    fn cached(&self);
    /// It was done.
    fn done(&self);
    /// It failed.
    fn failed(&self);
}

impl StepProgress for Silent {
    fn output(&self, _stream: crate::model::Stream, _bytes: &[u8]) {}
    fn cached(&self) {}
    fn done(&self) {}
    fn failed(&self) {}
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
