//! Processes of the container that the kernel killed for want of memory.

use super::timers::Timers;
use super::watch::Monitor;
use crate::runtime::cgroup::OomWatch;
use std::time::Duration;

/// cgroup v1 tells that memory is short before it counts the victim.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

impl Monitor {
    /// Wants to be told from now on: of a container with a limit, the others run out with the whole machine.
    pub fn watch_memory(&mut self) {
        if self.container.launch.memory_is_limited && self.oom_watch.is_none() {
            // Where it cannot be watched the number is looked at in the end.
            self.oom_watch = OomWatch::new(self.remains.group()).ok();
            self.look_for_victims();
        }
    }

    /// Memory is short.
    pub fn memory_is_short(&mut self) {
        if let Some(watch) = &mut self.oom_watch {
            watch.reset();
        }
        self.look_for_victims();
        self.timers.oom = Some(Timers::after(LOOK_AGAIN));
    }

    /// Whether a process has been killed since the last look.
    pub fn look_for_victims(&mut self) {
        if self.count_victims() {
            self.set_phase(self.container.state.phase);
        }
    }

    /// The same without writing it down: the caller does that.
    pub fn count_victims(&mut self) -> bool {
        let victims = self.remains.group().oom_kills();
        let has_new = victims > self.victims;
        self.victims = self.victims.max(victims);
        if has_new {
            self.container.state.oom_killed = true;
            self.happened("oom", &[]);
        }
        has_new
    }
}
