//! What is to happen at a certain time, in one place: the loop sleeps until the first of it.

use std::time::{Duration, Instant};

/// Longer times are as good as none, and would overflow the clock.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// The times; `None`: not at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timers {
    /// When a stop becomes a kill.
    pub kill: Option<Instant>,
    /// When to move out of the caller's control groups.
    pub settle: Option<Instant>,
    /// When to look again whether everything is frozen.
    pub freeze: Option<Instant>,
    /// When to start the container again.
    pub restart: Option<Instant>,
    /// When to look again for processes that were killed for want of memory.
    pub oom: Option<Instant>,
    /// When to check the container's health.
    pub next_check: Option<Instant>,
    /// When a check has taken too long.
    pub check_is_late: Option<Instant>,
    /// When to look again whether those who are attached have read.
    pub viewers: Option<Instant>,
    /// When to give back the memory that much output took.
    pub trim: Option<Instant>,
}

impl Timers {
    /// A moment from now on.
    pub fn after(duration: Duration) -> Instant {
        Instant::now() + duration.min(LONGEST)
    }

    /// The first of all.
    pub fn next(&self) -> Option<Instant> {
        let all = [
            self.kill,
            self.settle,
            self.freeze,
            self.restart,
            self.oom,
            self.next_check,
            self.check_is_late,
            self.trim,
            self.viewers,
        ];
        all.into_iter().flatten().min()
    }

    /// Takes a timer when its time has come.
    pub fn is_due(timer: &mut Option<Instant>, now: Instant) -> bool {
        timer.take_if(|at| now >= *at).is_some()
    }
}
