//! Starting the container again when its restart policy asks for it: `ended → waiting → starting → running`.
//!
//! The groups, the published ports, the log and the network namespace stay; the processes, their mounts and the other
//! namespaces are new.

use super::handshake::{now, spawn_init};
use super::timers::Timers;
use super::watch::{Life, Monitor};
use crate::error::{IoContext, Result};
use crate::model::RestartPolicy;
use crate::runtime::control::protocol::Failure;
use crate::runtime::launch::Launch;
use crate::runtime::report::Incoming;
use crate::runtime::state::Phase;
use crate::sys::process::{ProcessIdentity, boot_id, start_time};
use nix::unistd::write;
use std::time::{Duration, Instant};

/// Docker's first pause before a restart.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Its longest: each one is twice as long as the one before.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A run of this length makes the next pause the first one again.
const LONG_RUN: Duration = Duration::from_secs(10);

/// The policy, and what it depends on.
#[derive(Debug)]
pub(super) struct Restarts {
    policy: RestartPolicy,
    /// Somebody ended it: no policy starts it again.
    pub by_hand: bool,
    /// The next end is followed by a start, whatever the policy says.
    pub in_any_case: bool,
    pause: Duration,
    started: Instant,
}

impl Restarts {
    /// Of a container whose program was executed just now.
    pub fn new(launch: &Launch) -> Self {
        // Whoever holds the other ends of its output waits for its first end.
        let policy = if launch.stdio.is_callers() { RestartPolicy::No } else { launch.restart.clone() };
        Self { policy, by_hand: false, in_any_case: false, pause: Duration::ZERO, started: Instant::now() }
    }

    /// Another policy from now on.
    pub fn set_policy(&mut self, policy: RestartPolicy) {
        self.policy = policy;
    }

    /// Whether ends may be followed by starts.
    pub fn has_policy(&self) -> bool {
        self.policy != RestartPolicy::No
    }

    /// How long to wait before the next start; `None`: it has ended for good.
    fn next(&mut self, code: i32, restarts: u32) -> Option<Duration> {
        if self.by_hand {
            return None;
        }
        if std::mem::take(&mut self.in_any_case) {
            return Some(Duration::ZERO);
        }
        let again = match self.policy {
            RestartPolicy::No => false,
            RestartPolicy::OnFailure(most) => code != 0 && (most == 0 || restarts < most),
            RestartPolicy::Always | RestartPolicy::UnlessStopped => true,
        };
        if self.started.elapsed() >= LONG_RUN {
            self.pause = Duration::ZERO;
        }
        self.pause = if self.pause.is_zero() { FIRST_PAUSE } else { (self.pause * 2).min(LONGEST_PAUSE) };
        again.then_some(self.pause)
    }
}

impl Monitor {
    /// Its program has ended: waits for the next start, if there is to be one.
    pub fn wait_for_restart(&mut self, code: i32) -> bool {
        let state = &mut self.container.state;
        let Some(pause) = self.restarts.next(code, state.restarts) else { return false };
        state.restarts = state.restarts.saturating_add(1);
        self.timers.restart = Some(Timers::after(pause));
        self.life = Life::Waiting;
        self.set_phase(Phase::Restarting);
        // Processes of a container that has no pid namespace of its own outlive its first one.
        self.remains.group().kill_all();
        self.remains.run_ended();
        self.show_names(false);
        true
    }

    /// Makes the first process anew and lets it go.
    pub fn start_again(&mut self) {
        if let Err(failure) = self.make_again() {
            self.could_not_start(failure);
        }
    }

    fn make_again(&mut self) -> Result<(), Failure> {
        let in_step = |step: &'static str| move |error| Failure::of(step, &error);
        let launch = &self.container.launch;
        let network = self.remains.network();
        let (init, pipes) =
            spawn_init(launch, Vec::new(), &mut self.remains, network.as_ref(), self.container.owners.as_ref())
                .map_err(in_step("making the first process"))?;
        self.remains.hold(&init).map_err(in_step("holding the mounts"))?;
        if network.is_none() {
            self.remains.attach_network(init.pid).map_err(in_step("connecting the network"))?;
        }
        if let (Some((_, outputs)), Some(new)) = (&mut self.container.log, pipes.outputs) {
            *outputs = new;
        }
        self.container.master = pipes.master;
        let report = Incoming::new(pipes.report).doing(|| "cannot read a pipe").map_err(in_step("starting"))?;
        // Fails when the child has ended already; its report says why.
        let _ = write(&pipes.go, b"g");
        self.container.init = Some(init);
        self.birth = Some(report);
        self.life = Life::Starting;
        Ok(())
    }

    /// Its program was executed, or could not be; `ended` when the process has.
    pub fn look_at_the_birth(&mut self, ended: bool) {
        if let (true, Some(birth), true) = (ended, &self.birth, self.container.launch.runtime.is_some()) {
            // The program of another runtime may end before that has come to say that it was executed.
            birth.wait_for_all();
        }
        let Some(report) = self.birth.as_mut().and_then(|birth| birth.collect(ended)) else { return };
        self.birth = None;
        let Some(init) = &self.container.init else { return };
        if let Some(failure) = report.failure {
            // The process ends by itself, and then this is why.
            self.container.state.error = Some(failure.message);
            self.restarts.policy = RestartPolicy::No;
            return;
        }
        let identity = || -> Result<ProcessIdentity> {
            Ok(ProcessIdentity { boot_id: boot_id()?.to_owned(), pid: init.pid, start_time: start_time(init.pid)? })
        };
        let identity = identity();
        if let Err(error) = self.container.take_terminal() {
            self.container.state.error = Some(error.message());
        }
        let state = &mut self.container.state;
        // A process that cannot be looked at has ended, and is reaped in the next turn.
        state.process = identity.ok();
        state.started = Some(now());
        state.warnings = report.warnings;
        state.oom_killed = false;
        self.restarts.started = Instant::now();
        self.life = Life::Running;
        self.begin_checks();
        self.show_names(true);
        self.set_phase(Phase::Running);
        self.volumes_mounted();
        self.happened("start", &[]);
    }

    fn could_not_start(&mut self, failure: Failure) {
        self.remains.run_ended();
        self.container.init = None;
        self.container.state.error = Some(failure.message);
        // Docker's code for a container that its runtime could not start.
        let code = failure.code.unwrap_or(128);
        self.container.state.exit_code = Some(code);
        self.container_ended(code);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn restarts(policy: RestartPolicy) -> Restarts {
        Restarts { policy, by_hand: false, in_any_case: false, pause: Duration::ZERO, started: Instant::now() }
    }

    #[test]
    fn policies_decide_by_the_code_and_the_number_of_restarts() {
        use RestartPolicy::{Always, No, OnFailure, UnlessStopped};
        // (policy, code, restarts so far, whether it is started again)
        let cases = [
            (No, 1, 0, false),
            (OnFailure(0), 0, 0, false),
            (OnFailure(0), 1, 1000, true),
            (OnFailure(2), 1, 1, true),
            (OnFailure(2), 1, 2, false),
            (Always, 0, 1000, true),
            (UnlessStopped, 0, 0, true),
        ];
        for (policy, code, count, again) in cases {
            assert_eq!(restarts(policy.clone()).next(code, count).is_some(), again, "{policy} {code} {count}");
            let mut by_hand = Restarts { by_hand: true, ..restarts(policy) };
            assert!(by_hand.next(code, count).is_none());
        }
    }

    #[test]
    fn pauses_double_up_to_a_minute_and_begin_anew_after_a_long_run() {
        let mut restarts = restarts(RestartPolicy::Always);
        let pauses: Vec<u128> = (0..12).map(|_| restarts.next(1, 0).unwrap().as_millis()).collect();
        assert_eq!(pauses[..4], [100, 200, 400, 800]);
        assert_eq!(pauses[9..], [51_200, 60_000, 60_000]);
        restarts.started = Instant::now().checked_sub(LONG_RUN).unwrap();
        assert_eq!(restarts.next(1, 0), Some(FIRST_PAUSE));
    }
}
