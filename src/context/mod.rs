//! What every operation is given: when to stop, where to report progress, who owns what it makes.

mod cancel;
mod progress;

pub use cancel::{CancelReason, CancelToken};
pub use progress::{Progress, ProgressItem, Silent, StepProgress};

use crate::error::Result;
use std::sync::Arc;
use std::time::Duration;

/// The circumstances of one operation. Cheap to clone; children share the parent's fate.
#[derive(Clone)]
pub struct Context {
    /// When to stop.
    pub cancel: CancelToken,
    /// Where to report what takes long.
    pub progress: Arc<dyn Progress>,
    /// The scope that owns what is made: removed at its end. `None`: it outlives the script.
    pub scope: Option<String>,
}

impl Context {
    /// No deadline, no progress, no owner.
    pub fn background() -> Self {
        Self { cancel: CancelToken::new(), progress: Arc::new(Silent), scope: None }
    }

    /// The same with a deadline from now on; an earlier deadline of the parent still counts.
    #[must_use]
    pub fn with_timeout(&self, timeout: Option<Duration>) -> Self {
        match timeout {
            Some(timeout) => Self { cancel: self.cancel.child_with_timeout(timeout), ..self.clone() },
            None => self.clone(),
        }
    }

    /// Fails with `cancelled` or `timeout` once the operation has to stop.
    pub fn check(&self) -> Result<()> {
        self.cancel.check()
    }
}
