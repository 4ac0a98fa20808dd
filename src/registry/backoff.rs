//! Waiting between tries: exponential, with jitter, or as long as the registry asks.

use super::failure::Failure;
use super::options::Retry;
use crate::error::{Error, Result};
use std::time::Duration;

/// The tries of one operation.
pub(super) struct Backoff<'a> {
    retry: &'a Retry,
    tried: u32,
}

impl<'a> Backoff<'a> {
    pub(super) fn new(retry: &'a Retry) -> Self {
        Self { retry, tried: 0 }
    }

    /// Waits until the next try is due. Fails with what went wrong when there is none.
    pub(super) async fn after(&mut self, failure: Failure) -> Result<()> {
        let (error, asked) = match failure {
            Failure::Passing { error, retry_after } => (error, retry_after),
            other => return Err(other.into_error()),
        };
        self.tried += 1;
        if self.tried >= self.retry.attempts {
            return Err(if self.tried > 1 { tries(&error, self.tried) } else { error });
        }
        if let Some(asked) = asked.filter(|asked| *asked > self.retry.max_asked) {
            return Err(error.hint(format!("try again in {} s: the registry asks for that", asked.as_secs())));
        }
        let wait = asked.unwrap_or_else(|| self.jittered());
        tracing::debug!(%error, ?wait, "trying again");
        tokio::time::sleep(wait).await;
        Ok(())
    }

    /// There was progress, so earlier failures no longer count.
    pub(super) fn reset(&mut self) {
        self.tried = 0;
    }

    /// Between half and all of the exponential wait, so that clients do not come back in step.
    fn jittered(&self) -> Duration {
        let doublings = self.tried.saturating_sub(1).min(16);
        let full = self.retry.base.saturating_mul(1 << doublings).min(self.retry.max);
        // Without randomness the full wait is as good.
        let fraction = getrandom::u32().map_or(1.0, |random| f64::from(random) / f64::from(u32::MAX));
        full.mul_f64(0.5 + fraction / 2.0)
    }
}

fn tries(error: &Error, tried: u32) -> Error {
    let told = Error::new(error.kind(), format!("{} (tried {tried} times)", error.message()));
    match error.hint_text() {
        Some(hint) => told.hint(hint),
        None => told,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn retry() -> Retry {
        Retry { base: Duration::from_millis(100), max: Duration::from_millis(500), ..Retry::default() }
    }

    #[test]
    fn waits_double_up_to_the_limit_and_jitter_keeps_at_least_half() {
        let retry = retry();
        for (tried, full) in [(1, 100), (2, 200), (3, 400), (4, 500), (60, 500)] {
            let wait = Backoff { retry: &retry, tried }.jittered();
            assert!(
                wait >= Duration::from_millis(full / 2) && wait <= Duration::from_millis(full),
                "{tried}: {wait:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_longer_wait_than_allowed_is_refused_at_once() {
        let retry = retry();
        let error = Error::new(ErrorKind::Network, "too many requests");
        let failure = Failure::Passing { error, retry_after: Some(Duration::from_secs(3600)) };
        let error = Backoff::new(&retry).after(failure).await.expect_err("an hour is too long");
        assert!(error.hint_text().unwrap().contains("3600 s"));
    }
}
