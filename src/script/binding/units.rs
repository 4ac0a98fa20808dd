//! Values with a unit: sizes, durations and points in time. Their short forms are the model's.

use super::{FromScript, IntoScript, Object, Refusal};
use crate::error::{Error, Result};
use crate::model::{duration, size};
use rhai::Dynamic;
use std::time::Duration;

/// A number of bytes as a parameter: `"512m"`, `"1.5g"` (powers of 1024), or a number of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl FromScript for Size {
    fn type_name() -> String {
        "size".to_owned()
    }
    fn accepts(value: &Dynamic) -> bool {
        value.is_int() || value.is_string()
    }
    fn from_script(value: Dynamic) -> Result<Self, Refusal> {
        if value.is_string() {
            return Ok(Self(size::parse(&value.into_string().unwrap_or_default())?));
        }
        let bytes = value.as_int().ok().and_then(|bytes| u64::try_from(bytes).ok());
        bytes.map(Self).ok_or_else(|| Refusal::wrong_type("a size such as \"512m\" or a number of bytes", &value))
    }
}

/// A length of time: `30.seconds`, `duration("1h30m")`, or the difference of two times.
///
/// Durations add, subtract and compare; `.seconds` gives the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Object)]
#[object(name = "Duration")]
pub struct Span(pub jiff::SignedDuration);

/// A point in time, shown in local time: `now()`, the `created` of a container.
///
/// Times subtract and compare; a duration can be added to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Object)]
pub struct Time(pub jiff::Timestamp);

impl Span {
    /// As a duration; negative ones are refused.
    pub fn unsigned(self) -> Result<Duration> {
        Duration::try_from(self.0)
            .map_err(|_| Error::invalid(format!("the duration `{self}` is negative")).hint("swap the two times"))
    }
}

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.0.is_negative() { "-" } else { "" };
        write!(f, "{sign}{}", duration::format(self.0.unsigned_abs()))
    }
}

impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let local = self.0.to_zoned(jiff::tz::TimeZone::system());
        write!(f, "{}", local.strftime("%Y-%m-%d %H:%M:%S"))
    }
}

/// `"1h30m"`, a number of seconds, or a `Duration`.
impl FromScript for Duration {
    fn type_name() -> String {
        "duration".to_owned()
    }
    fn accepts(value: &Dynamic) -> bool {
        value.is_string() || value.is_int() || value.is_float() || Span::accepts(value)
    }
    fn from_script(value: Dynamic) -> Result<Self, Refusal> {
        if Span::accepts(&value) {
            return Ok(Span::from_script(value)?.unsigned()?);
        }
        if value.is_string() {
            return Ok(duration::parse(&value.into_string().unwrap_or_default())?);
        }
        let seconds = f64::from_script(value.clone())
            .map_err(|_| Refusal::wrong_type("a duration such as \"1m30s\" or a number of seconds", &value))?;
        Ok(duration::from_seconds(seconds)?)
    }
}

impl IntoScript for Duration {
    fn type_name() -> String {
        Span::NAME.to_owned()
    }
    fn into_script(self) -> Result<Dynamic> {
        let span = jiff::SignedDuration::try_from(self);
        let span = span.map_err(|_| Error::invalid(format!("{self:?} is too long a duration")))?;
        Span(span).into_script()
    }
}

/// A `Time`, or text as Docker takes it: RFC 3339, a date with or without a time of this machine, or `10m` for ten minutes
/// ago; or a `Duration` ago.
impl FromScript for jiff::Timestamp {
    fn type_name() -> String {
        Time::NAME.to_owned()
    }
    fn accepts(value: &Dynamic) -> bool {
        Time::accepts(value) || Span::accepts(value) || value.is_string()
    }
    fn from_script(value: Dynamic) -> Result<Self, Refusal> {
        if Span::accepts(&value) {
            return Ok(ago(Span::from_script(value)?.unsigned()?)?);
        }
        if value.is_string() {
            return Ok(time(&value.into_string().unwrap_or_default())?);
        }
        Time::from_script(value).map(|time| time.0)
    }
}

fn time(text: &str) -> Result<jiff::Timestamp> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let local =
        text.parse().ok().and_then(|date: jiff::civil::DateTime| date.to_zoned(jiff::tz::TimeZone::system()).ok());
    match (local, duration::parse(text)) {
        (Some(zoned), _) => Ok(zoned.timestamp()),
        (None, Ok(span)) => ago(span),
        (None, Err(_)) => Err(Error::invalid(format!("`{text}` is not a time"))
            .hint("write it as `2026-01-31T12:00:00Z`, as `10m` for ten minutes ago, or give a `Time`")),
    }
}

fn ago(span: Duration) -> Result<jiff::Timestamp> {
    jiff::Timestamp::now()
        .checked_sub(span)
        .map_err(|_| Error::invalid(format!("{} ago is before all times", duration::format(span))))
}

impl IntoScript for jiff::Timestamp {
    fn type_name() -> String {
        Time::NAME.to_owned()
    }
    fn into_script(self) -> Result<Dynamic> {
        Time(self).into_script()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn times_are_written_as_docker_takes_them() {
        let zoned = |text: &str| text.parse::<jiff::civil::DateTime>().unwrap().to_zoned(jiff::tz::TimeZone::system());
        assert_eq!(time("2026-01-31T12:00:00.5Z").unwrap().to_string(), "2026-01-31T12:00:00.5Z");
        assert_eq!(time("2026-01-31T12:00:00+02:00").unwrap().to_string(), "2026-01-31T10:00:00Z");
        for text in ["2026-01-31", "2026-01-31T12:30", "2026-01-31 12:30:01"] {
            assert_eq!(time(text).unwrap(), zoned(text).unwrap().timestamp(), "{text}");
        }
        let found = time("1h30m").unwrap();
        let since = jiff::Timestamp::now().duration_since(found);
        assert!((5400..5410).contains(&since.as_secs()), "{since:?}");
        for text in ["", "yesterday", "2026-13-01", "-5m"] {
            assert!(time(text).unwrap_err().is(ErrorKind::Invalid), "{text}");
        }
    }
}
