//! Pausing the container and letting it go on: with the kernel's freezer, else by stopping its processes.

use super::stop::is_restarting;
use super::timers::Timers;
use super::watch::{Life, Monitor};
use crate::error::{Error, ErrorKind, Result};
use crate::runtime::control::protocol::Event;
use crate::runtime::process_tree::ProcessTree;
use crate::runtime::state::Phase;
use std::time::{Duration, Instant};

/// Between two looks at processes that do not stand still yet.
const LOOK_AGAIN: Duration = Duration::from_millis(1);
/// A process in an uninterruptible wait cannot be frozen: after this time the pause is given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// A pause that is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Freezing {
    give_up: Instant,
}

impl Monitor {
    /// Begins to freeze; the answer comes when everything stands still. `holds`: only for as long as the client is there.
    pub fn pause(&mut self, index: usize, holds: bool) {
        let begun = match self.life {
            Life::Running => self.begin_freezing(),
            // Another caller wants the same at this moment.
            Life::Freezing(_) => Ok(()),
            Life::Paused => Err(Error::conflict("the container is paused already")),
            Life::Waiting | Life::Starting => Err(is_restarting()),
            Life::Ended => Err(Error::conflict("the container has ended")),
        };
        match begun {
            Ok(()) => {
                self.clients[index].pauses = true;
                if self.life == Life::Running {
                    self.clients[index].holds = holds;
                    self.end_checks();
                    self.life = Life::Freezing(Freezing { give_up: Timers::after(PATIENCE) });
                }
                self.look_at_the_freezer();
            }
            Err(error) => self.clients[index].refuse(&error),
        }
    }

    /// Lets it go on.
    pub fn unpause(&mut self, index: usize) {
        let done = match self.life {
            Life::Paused | Life::Freezing(_) => self.thaw(),
            _ => Err(Error::conflict("the container is not paused").hint("`status` says what it does")),
        };
        match done {
            Ok(()) => self.clients[index].tell(Event::Done),
            Err(error) => self.clients[index].refuse(&error),
        }
    }

    /// Forgets who has gone; what stood still for one of them goes on.
    pub fn forget_clients(&mut self) {
        let released = self.clients.iter().any(|client| client.holds && client.is_over());
        self.clients.retain(|client| !client.is_over());
        if released && self.is_frozen() {
            // What cannot be thawed has no group any more: its end is on its way.
            let _ = self.thaw();
        }
    }

    /// Whether its processes stand still, or are about to.
    pub fn is_frozen(&self) -> bool {
        matches!(self.life, Life::Paused | Life::Freezing(_))
    }

    /// Lets it go on; who still waits for the pause is told that it does not come.
    pub fn thaw(&mut self) -> Result<()> {
        self.let_go()?;
        if self.life == Life::Paused {
            self.happened("unpause", &[]);
        }
        self.life = Life::Running;
        self.timers.freeze = None;
        self.clients.iter_mut().for_each(|client| client.holds = false);
        self.plan_next_check();
        self.set_phase(Phase::Running);
        self.answer_pauses(&Err(Error::conflict("the container was let go on meanwhile")));
        Ok(())
    }

    /// Whether everything stands still by now.
    pub fn look_at_the_freezer(&mut self) {
        let Life::Freezing(freezing) = self.life else { return };
        match self.stands_still() {
            Ok(true) => {
                self.life = Life::Paused;
                self.set_phase(Phase::Paused);
                self.answer_pauses(&Ok(()));
                self.happened("pause", &[]);
            }
            Ok(false) if Instant::now() < freezing.give_up => self.timers.freeze = Some(Timers::after(LOOK_AGAIN)),
            Ok(false) => {
                self.give_up_pausing(Error::new(ErrorKind::Timeout, "a process of the container cannot be frozen"));
            }
            Err(error) => self.give_up_pausing(error),
        }
    }

    /// The processes to stop by signals, where nothing freezes them.
    fn processes_to_stop(&self) -> Option<ProcessTree> {
        let has_freezer = self.remains.group().has_freezer();
        self.container.init.as_ref().filter(|_| !has_freezer).map(|init| ProcessTree::of(init.pid))
    }

    fn begin_freezing(&self) -> Result<()> {
        self.processes_to_stop().map_or_else(|| self.remains.group().freeze(), ProcessTree::stop)
    }

    fn stands_still(&self) -> Result<bool> {
        self.processes_to_stop().map_or_else(|| self.remains.group().is_frozen(), ProcessTree::is_still)
    }

    fn let_go(&self) -> Result<()> {
        self.processes_to_stop().map_or_else(|| self.remains.group().thaw(), ProcessTree::go_on)
    }

    fn give_up_pausing(&mut self, error: Error) {
        self.answer_pauses(&Err(error));
        // What cannot even be thawed has no group any more: its end is on its way.
        let _ = self.thaw();
    }

    /// Tells who waits for the pause how it went.
    pub fn answer_pauses(&mut self, result: &Result<()>) {
        for client in self.clients.iter_mut().filter(|client| client.pauses) {
            client.pauses = false;
            match result {
                Ok(()) => client.tell(Event::Done),
                Err(error) => client.refuse(error),
            }
        }
    }
}
