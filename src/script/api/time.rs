//! Times, durations and waiting.

use crate::error::{Error, Result};
use crate::script::binding::{Call, Span, Time, api};
use std::time::Duration;

/// Waits this long: `"500ms"`, a number of seconds, or a `Duration`.
///
/// # Example
/// sleep("10ms");
#[api]
pub fn sleep(call: &Call, duration: Duration) -> Result<()> {
    call.context().cancel.sleep(duration)
}

/// The present time.
///
/// # Example
/// let start = now();
/// assert(now() >= start);
#[api]
pub fn now() -> Time {
    Time(jiff::Timestamp::now())
}

/// A length of time from text such as `"1h30m"` or a number of seconds.
///
/// # Example
/// assert_eq(duration("1m30s").seconds, 90.0);
#[api]
pub fn duration(length: Duration) -> Duration {
    length
}

#[api]
impl Span {
    /// The whole duration in seconds.
    #[get(column)]
    pub fn seconds(&self) -> f64 {
        self.0.as_secs_f64()
    }

    /// The whole duration in milliseconds.
    #[get]
    pub fn milliseconds(&self) -> i64 {
        i64::try_from(self.0.as_millis()).unwrap_or(i64::MAX)
    }
}

#[api]
impl Time {
    /// Seconds since 1970-01-01 UTC.
    #[get]
    pub fn unix(&self) -> i64 {
        self.0.as_second()
    }

    /// The time as text, in UTC: `2026-01-31T12:00:00Z`.
    #[get]
    pub fn utc(&self) -> String {
        self.0.to_string()
    }

    /// Local time by a pattern of `strftime`: `now().format("%Y-%m-%d")`.
    pub fn format(&self, pattern: String) -> Result<String> {
        let local = self.0.to_zoned(jiff::tz::TimeZone::system());
        jiff::fmt::strtime::format(&pattern, &local)
            .map_err(|error| Error::invalid(format!("`{pattern}` is not a time pattern: {error}")))
    }
}
