//! The end of the container's program: what is written down, and who is told.

use super::handshake::now;
use super::watch::{Life, Monitor};
use crate::error::Error;
use crate::runtime::control::protocol::Event;
use crate::runtime::state::Phase;
use crate::sys::niceness;

impl Monitor {
    /// Writes down how it ended and answers everybody who waits. Nothing that can wait comes before.
    pub fn program_ended(&mut self, code: i32) {
        self.look_at_the_birth(true);
        self.health_ended();
        self.container.init = None;
        self.remains.init_ended();
        self.drain_outputs();
        self.container.terminal = None;
        // Docker: whichever process of it was killed. Most containers are spared the look.
        if code == 128 + libc::SIGKILL || self.container.launch.memory_is_limited {
            self.count_victims();
        }
        let state = &mut self.container.state;
        state.process = None;
        state.finished = Some(now());
        state.exit_code = Some(code);
        self.died(code);
        self.end_views(code);
        self.timers.kill = None;
        if !self.wait_for_restart(code) {
            self.container_ended(code);
        }
    }

    /// It has ended for good.
    pub fn container_ended(&mut self, code: i32) {
        self.life = Life::Ended;
        self.container.state.stopped = self.restarts.by_hand;
        self.remains.disconnect();
        self.set_phase(Phase::Exited);
        let exited = Event::Exited { code, oom_killed: self.container.state.oom_killed };
        // The ports are free before anybody knows of the end, who may want them for the next container.
        // Nobody is led to it by its names either.
        self.stop_serving();
        self.show_names(false);
        self.answer_pauses(&Err(Error::conflict("the container has ended")));
        // Also who has just connected is owed an answer.
        self.accept();
        for index in 0..self.clients.len() {
            self.serve_last(index, &exited);
        }
        self.ended_for_good();
        // The caller goes on now, perhaps with the next container: what is left to do is not urgent.
        niceness::lowest();
    }

    /// Writes the state down.
    pub fn set_phase(&mut self, phase: Phase) {
        self.container.state.phase = phase;
        // On a full disk the file says what was before, and a dead monitor makes that an end with 137.
        let _ = self.container.state.write(&self.container.launch.container_dir);
    }
}
