//! What the stages have come to: one waits here for another.

use super::arguments::Scope;
use crate::build::state::State;
use crate::context::{CancelReason, Context};
use crate::error::{Error, ErrorKind, Result};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A stage that is built.
pub struct BuiltStage {
    pub state: State,
    /// The arguments that stages which begin with it inherit.
    pub scope: Scope,
}

enum Slot {
    Open,
    Done(Arc<BuiltStage>),
    Failed,
}

/// One slot a stage.
pub struct Board {
    slots: Mutex<Vec<Slot>>,
    changed: Condvar,
}

/// How often somebody who waits looks whether to stop.
const TICK: Duration = Duration::from_millis(50);

impl Board {
    /// For so many stages.
    pub fn new(stages: usize) -> Self {
        Self { slots: Mutex::new((0..stages).map(|_| Slot::Open).collect()), changed: Condvar::new() }
    }

    /// Says what a stage came to; `None`: it failed.
    pub fn put(&self, stage: usize, built: Option<BuiltStage>) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots[stage] = built.map_or(Slot::Failed, |built| Slot::Done(Arc::new(built)));
        self.changed.notify_all();
    }

    /// Waits for a stage.
    ///
    /// # Errors
    /// `cancelled` when it failed: its own error is the one to tell.
    pub fn wait(&self, stage: usize, cx: &Context) -> Result<Arc<BuiltStage>> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match &slots[stage] {
                Slot::Done(built) => return Ok(built.clone()),
                Slot::Failed => return Err(CancelReason::Cancelled.error()),
                Slot::Open => cx.check()?,
            }
            slots = self.changed.wait_timeout(slots, TICK).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// What a stage came to, when all is done.
    pub fn take(&self, stage: usize) -> Result<State> {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        match &slots[stage] {
            Slot::Done(built) => Ok(built.state.clone()),
            _ => Err(Error::new(ErrorKind::Cancelled, "the stage was not built")),
        }
    }
}
