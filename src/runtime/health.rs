//! Health of a container: how it is checked, and what the checks have come to.

use crate::model::OnUnhealthy;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// So many results are kept: Docker's number.
const KEPT: usize = 5;

/// How a container is checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthPlan {
    /// The command that ends with 0 in a healthy container.
    pub argv: Vec<String>,
    /// Between the end of one check and the start of the next.
    pub interval: Duration,
    /// After this time a check has failed.
    pub timeout: Duration,
    /// Failures do not count so long after the start, until the first success.
    pub start_period: Duration,
    /// Between two checks in that period.
    pub start_interval: Duration,
    /// So many failures in a row make it unhealthy.
    pub retries: u32,
    /// What happens then.
    #[serde(default)]
    pub on_unhealthy: OnUnhealthy,
}

/// Docker's states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    /// No check has succeeded yet, and not enough of them have failed.
    #[default]
    Starting,
    /// The last check succeeded, or not enough have failed since.
    Healthy,
    /// Too many have failed in a row, or the container does not run.
    Unhealthy,
}

impl fmt::Display for HealthStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        })
    }
}

/// What the checks have come to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Health {
    /// The state.
    pub status: HealthStatus,
    /// Failures since the last success.
    pub failing_streak: u32,
    /// The last results, oldest first.
    pub log: Vec<HealthResult>,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthResult {
    /// When it began, UTC nanoseconds.
    pub start: i64,
    /// When it ended, UTC nanoseconds.
    pub end: i64,
    /// As a shell gives it; -1: it took too long.
    pub exit_code: i32,
    /// What it wrote, the beginning of it.
    pub output: String,
}

impl Health {
    /// The container was started: the record stays, what it came to does not.
    pub fn begin(&mut self) {
        self.status = HealthStatus::Starting;
        self.failing_streak = 0;
    }

    /// Until the next check, `running` after the container was started.
    pub fn pause(&self, plan: &HealthPlan, running: Duration) -> Duration {
        if self.status == HealthStatus::Starting && running < plan.start_period {
            plan.start_interval
        } else {
            plan.interval
        }
    }

    /// Counts a result, of a container that was started at `started`; tells whether the state has changed.
    pub fn take(&mut self, plan: &HealthPlan, result: HealthResult, started: i64) -> bool {
        let before = self.status;
        let running = Duration::from_nanos(u64::try_from(result.start - started).unwrap_or(0));
        if result.exit_code == 0 {
            self.failing_streak = 0;
            self.status = HealthStatus::Healthy;
        } else if self.status != HealthStatus::Starting || running >= plan.start_period {
            self.failing_streak = self.failing_streak.saturating_add(1);
            if self.failing_streak >= plan.retries {
                self.status = HealthStatus::Unhealthy;
            }
        }
        if self.log.len() >= KEPT {
            self.log.drain(..=self.log.len() - KEPT);
        }
        self.log.push(result);
        self.status != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use HealthStatus::{Healthy, Starting, Unhealthy};

    fn plan(start_period: Duration) -> HealthPlan {
        HealthPlan {
            argv: vec!["true".into()],
            interval: Duration::from_secs(30),
            timeout: Duration::from_secs(30),
            start_period,
            start_interval: Duration::from_secs(5),
            retries: 2,
            on_unhealthy: OnUnhealthy::None,
        }
    }

    /// The states after checks that end with these codes, a second apart.
    fn states(plan: &HealthPlan, codes: &[i32]) -> Vec<(HealthStatus, u32)> {
        let mut health = Health::default();
        let second = |count: usize| count as i64 * 1_000_000_000;
        let states = codes.iter().enumerate().map(|(index, code)| {
            let (start, end) = (second(index + 1), second(index + 1));
            health.take(plan, HealthResult { start, end, exit_code: *code, output: String::new() }, 0);
            (health.status, health.failing_streak)
        });
        states.collect()
    }

    #[test]
    fn failures_in_a_row_make_it_unhealthy_and_one_success_healthy() {
        let expected = [(Starting, 1), (Unhealthy, 2), (Unhealthy, 3), (Healthy, 0), (Healthy, 1), (Unhealthy, 2)];
        assert_eq!(states(&plan(Duration::ZERO), &[1, 1, -1, 0, 1, 1]), expected);
    }

    #[test]
    fn failures_do_not_count_in_the_start_period_before_the_first_success() {
        let long = plan(Duration::from_secs(100));
        assert_eq!(states(&long, &[1, 1, 1]), [(Starting, 0); 3]);
        assert_eq!(states(&long, &[0, 1, 1]), [(Healthy, 0), (Healthy, 1), (Unhealthy, 2)]);
        let short = plan(Duration::from_secs(2));
        assert_eq!(states(&short, &[1, 1, 1]), [(Starting, 0), (Starting, 1), (Unhealthy, 2)]);
        let fresh = Health::default();
        assert_eq!(fresh.pause(&short, Duration::from_secs(1)), Duration::from_secs(5));
        assert_eq!(fresh.pause(&short, Duration::from_secs(2)), Duration::from_secs(30));
    }

    #[test]
    fn the_last_five_results_are_kept() {
        let mut health = Health::default();
        for code in 0..9 {
            let result = HealthResult { start: 0, end: 0, exit_code: code, output: String::new() };
            health.take(&plan(Duration::ZERO), result, 0);
        }
        assert_eq!(health.log.iter().map(|result| result.exit_code).collect::<Vec<_>>(), [4, 5, 6, 7, 8]);
    }
}
