//! Times, durations and waiting.

use crate::error::{Error, Result};
use crate::script::binding::{Call, Span, Time, api};
use rhai::Engine;
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
/// assert(now() - start < 10.seconds);
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

    /// Local time by a pattern of `strftime`.
    ///
    /// # Example
    /// assert_eq(now().format("%Y").len(), 4);
    pub fn format(&self, pattern: String) -> Result<String> {
        let local = self.0.to_zoned(jiff::tz::TimeZone::system());
        jiff::fmt::strtime::format(&pattern, &local)
            .map_err(|error| Error::invalid(format!("`{pattern}` is not a time pattern: {error}")))
    }
}

/// Properties of numbers: `30.seconds`.
macro_rules! durations {
    ($($number:ty: $($function:ident $name:literal $seconds:literal)*;)*) => { $( $(
        #[doc = concat!("The number as a duration: `30.", $name, "`.")]
        ///
        /// # Example
        #[doc = concat!("assert(2.", $name, " > 1.", $name, ");")]
        #[api(get, name = $name)]
        pub fn $function(count: $number) -> Result<Span> {
            span(count as f64 * $seconds)
        }
    )* )* };
}

durations! {
    i64: int_milliseconds "milliseconds" 0.001 int_seconds "seconds" 1.0 int_minutes "minutes" 60.0
        int_hours "hours" 3600.0 int_days "days" 86400.0;
    f64: float_milliseconds "milliseconds" 0.001 float_seconds "seconds" 1.0 float_minutes "minutes" 60.0
        float_hours "hours" 3600.0 float_days "days" 86400.0;
}

fn span(seconds: f64) -> Result<Span> {
    jiff::SignedDuration::try_from_secs_f64(seconds)
        .map(Span)
        .map_err(|_| Error::invalid(format!("{seconds} seconds are no duration")))
}

/// Properties of numbers: `512.mb`, powers of 1024 as everywhere.
macro_rules! sizes {
    ($($name:ident $power:literal)*) => { $(
        #[doc = concat!("The number of bytes in so many ", stringify!($name), ": `512.", stringify!($name), "`.")]
        ///
        /// # Example
        #[doc = concat!("assert(1.", stringify!($name), " >= 1024);")]
        #[api(get)]
        pub fn $name(count: i64) -> Result<i64> {
            count.checked_mul(1 << $power).ok_or_else(|| Error::invalid(format!("{count} {} is too large", stringify!($name))))
        }
    )* };
}

sizes! { kb 10 mb 20 gb 30 tb 40 }

/// Arithmetic and comparison of times and durations.
pub fn register_operators(engine: &mut Engine) {
    macro_rules! compare {
        ($($ty:ty),*) => { $(
            engine
                .register_fn("==", |a: $ty, b: $ty| a == b)
                .register_fn("!=", |a: $ty, b: $ty| a != b)
                .register_fn("<", |a: $ty, b: $ty| a < b)
                .register_fn("<=", |a: $ty, b: $ty| a <= b)
                .register_fn(">", |a: $ty, b: $ty| a > b)
                .register_fn(">=", |a: $ty, b: $ty| a >= b);
        )* };
    }
    compare!(Time, Span);
    engine
        .register_fn("-", |a: Time, b: Time| Span(a.0.duration_since(b.0)))
        .register_fn("+", |a: Time, b: Span| Time(a.0.saturating_add(b.0).unwrap_or(jiff::Timestamp::MAX)))
        .register_fn("-", |a: Time, b: Span| Time(a.0.saturating_sub(b.0).unwrap_or(jiff::Timestamp::MIN)))
        .register_fn("+", |a: Span, b: Span| Span(a.0.saturating_add(b.0)))
        .register_fn("-", |a: Span, b: Span| Span(a.0.saturating_sub(b.0)))
        .register_fn("*", |a: Span, b: i64| Span(a.0.saturating_mul(i32::try_from(b).unwrap_or(i32::MAX))));
}
