//! Health checks: when they run, and what follows from them.

use super::check::{Check, GROUP};
use super::execution::Execution;
use super::handshake::now;
use super::timers::Timers;
use super::watch::{Life, Monitor};
use crate::error::Result;
use crate::model::OnUnhealthy;
use crate::runtime::health::{HealthResult, HealthStatus};
use std::time::Duration;

/// Between two attempts to kill what forks while it is killed.
const KILL_AGAIN: Duration = Duration::from_millis(20);

impl Monitor {
    /// The program was executed: the checks begin.
    pub fn begin_checks(&mut self) {
        if self.container.launch.health.is_some() {
            self.container.state.health.get_or_insert_default().begin();
            self.plan_next_check();
        }
    }

    /// The next one comes after the interval.
    pub fn plan_next_check(&mut self) {
        let (Some(plan), Some(health)) = (&self.container.launch.health, &self.container.state.health) else { return };
        let running = now() - self.container.state.started.unwrap_or_default();
        let running = Duration::from_nanos(u64::try_from(running).unwrap_or(0));
        self.timers.next_check = Some(Timers::after(health.pause(plan, running)));
    }

    /// No more of them: the container ends, or is paused. One that runs does not count.
    pub fn end_checks(&mut self) {
        (self.timers.next_check, self.timers.check_is_late) = (None, None);
        if let Some(mut check) = self.check.take() {
            check.kill(self.remains.group());
        }
    }

    /// The container has ended: as in Docker it is not healthy then.
    pub fn health_ended(&mut self) {
        self.end_checks();
        if let Some(health) = &mut self.container.state.health {
            health.status = HealthStatus::Unhealthy;
        }
    }

    /// The time for a check has come.
    pub fn start_check(&mut self) {
        let Some(plan) = self.container.launch.health.clone() else { return };
        if self.life != Life::Running || self.check.is_some() {
            return;
        }
        let start = now();
        match Check::start(&plan.argv, |request, stdio| self.execute_check(request, stdio)) {
            Ok(check) => {
                self.check = Some(check);
                self.timers.check_is_late = Some(Timers::after(plan.timeout));
            }
            Err(error) => {
                self.count(HealthResult { start, end: now(), exit_code: -1, output: error.message() });
            }
        }
    }

    fn execute_check(
        &self,
        request: &crate::runtime::control::protocol::ExecRequest,
        stdio: Vec<std::os::fd::OwnedFd>,
    ) -> Result<Execution> {
        Execution::start(request, stdio, &self.container, self.remains.group(), Some(GROUP))
    }

    /// A check takes too long.
    pub fn kill_late_check(&mut self) {
        if let Some(check) = &mut self.check {
            check.kill(self.remains.group());
            self.timers.check_is_late = Some(Timers::after(KILL_AGAIN));
        }
    }

    /// Whether the process that ended is the check's; then its result is counted.
    pub fn check_ended(&mut self, pid: i32, code: i32) -> bool {
        let Some(check) = self.check.as_mut().filter(|check| check.execution.pid() == pid) else { return false };
        check.read_report(true);
        let program = check.execution.pid();
        // It was only what waited for another runtime; the program itself may have ended before.
        let code = if program == pid { Some(code) } else { self.strays.take(program) };
        if let Some(code) = code {
            self.finish_check(code);
        }
        true
    }

    /// Reads whether the check was executed.
    pub fn look_at_the_check(&mut self) {
        let Some(check) = &mut self.check else { return };
        check.read_report(false);
        if let Some(code) = self.strays.take(check.execution.pid()) {
            self.finish_check(code);
        }
    }

    fn finish_check(&mut self, code: i32) {
        let Some(check) = self.check.take() else { return };
        self.timers.check_is_late = None;
        let timeout = self.container.launch.health.as_ref().map_or(Duration::ZERO, |plan| plan.timeout);
        let result = check.finish(code, timeout);
        self.remains.group().remove_below(GROUP);
        self.count(result);
    }

    fn count(&mut self, result: HealthResult) {
        let Some(plan) = self.container.launch.health.clone() else { return };
        let state = &mut self.container.state;
        let started = state.started.unwrap_or_default();
        let health = state.health.get_or_insert_default();
        let has_changed = health.take(&plan, result, started);
        let status = health.status;
        self.set_phase(self.container.state.phase);
        self.plan_next_check();
        if has_changed {
            self.happened(format!("health_status: {status}"), &[]);
        }
        if has_changed && status == HealthStatus::Unhealthy {
            self.act(plan.on_unhealthy);
        }
    }

    fn act(&mut self, action: OnUnhealthy) {
        let timeout = self.container.launch.stop_timeout;
        match action {
            OnUnhealthy::None => {}
            OnUnhealthy::Kill => self.kill_container(libc::SIGKILL),
            OnUnhealthy::Stop => self.stop(timeout),
            OnUnhealthy::Restart => {
                self.restarts.in_any_case = true;
                self.kill_container(self.container.launch.stop_signal);
                self.timers.kill = Some(Timers::after(timeout));
            }
        }
    }
}
