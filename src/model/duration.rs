//! Durations: `1h30m`, `500ms`, `1.5s`, as Go's `time.ParseDuration` takes them, and days.

use crate::error::{Error, Result};
use std::time::Duration;

/// The units, longest name first so that `ms` is not read as `m`; nanoseconds each.
const UNITS: [(&str, u64); 9] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", SECOND),
    ("m", 60 * SECOND),
    ("h", 3600 * SECOND),
    ("d", 24 * 3600 * SECOND),
];
const SECOND: u64 = 1_000_000_000;

/// A duration such as `1h30m`, `500ms`, `1.5s`, `7d`; `0` needs no unit.
pub fn parse(text: &str) -> Result<Duration> {
    read(text).ok_or_else(|| {
        let error = Error::invalid(format!("`{text}` is not a duration"));
        match text.parse::<f64>() {
            Ok(seconds) if seconds > 0.0 => error.hint(format!("add the unit: `{text}s`")),
            _ => error.hint("write it as `1h30m`, `500ms` or `1.5s`, or as a number of seconds"),
        }
    })
}

/// A number of seconds as a duration; it may be neither negative nor infinite.
pub fn from_seconds(seconds: f64) -> Result<Duration> {
    Duration::try_from_secs_f64(seconds).map_err(|_| Error::invalid(format!("`{seconds}` s is not a duration")))
}

/// As people read it: `1h30m`, `1m5s`, `1.5s`, `500ms`; to three places of its unit. [`parse`] takes it back.
pub fn format(duration: Duration) -> String {
    let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let places = match nanos {
        1_000_000_000.. => 1_000_000,
        1_000_000.. => 1_000,
        _ => 1,
    };
    let duration = Duration::from_nanos(nanos.saturating_add(places / 2) / places * places);
    let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
    if seconds == 0 && nanos > 0 {
        let (unit, scale) = match nanos {
            1_000_000.. => ("ms", 6),
            1_000.. => ("µs", 3),
            _ => ("ns", 0),
        };
        return format!("{}{unit}", decimal(u64::from(nanos), scale));
    }
    let rest = (seconds % 60) * SECOND + u64::from(nanos);
    let parts = [(seconds / 3600, 0, "h"), (seconds / 60 % 60, 0, "m"), (rest, 9, "s")];
    let shown = parts.iter().filter(|(value, ..)| *value > 0);
    let text: String = shown.flat_map(|(value, places, unit)| [decimal(*value, *places), (*unit).into()]).collect();
    if text.is_empty() { "0s".into() } else { text }
}

/// `value` with its decimal point moved left, without trailing zeros.
fn decimal(value: u64, places: usize) -> String {
    let scale = 10u64.pow(places as u32);
    let fraction = format!("{:0places$}", value % scale);
    let fraction = if places == 0 { "" } else { fraction.trim_end_matches('0') };
    if fraction.is_empty() { (value / scale).to_string() } else { format!("{}.{fraction}", value / scale) }
}

fn read(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut total: u64 = 0;
    while !rest.is_empty() || total == 0 && rest.len() == text.len() {
        let digits = rest.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
        let (number, after) = rest.split_at(digits);
        let (unit, nanos) = UNITS.iter().find(|(unit, _)| {
            after.strip_prefix(unit).is_some_and(|next| !next.starts_with(|c: char| c.is_alphabetic()))
        })?;
        total = total.checked_add(scaled(number, *nanos)?)?;
        rest = &after[unit.len()..];
    }
    Some(Duration::from_nanos(total))
}

/// `number` (decimal, `.5` and `5.` included) times `nanos`, exactly for whole numbers.
fn scaled(number: &str, nanos: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let fraction: f64 = if fraction.is_empty() { 0.0 } else { format!("0.{fraction}").parse().ok()? };
    whole.checked_mul(nanos)?.checked_add((fraction * nanos as f64).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, nanos) in [
            ("0", 0),
            ("0s", 0),
            ("5s", 5 * SECOND),
            ("1h30m", 5400 * SECOND),
            ("500ms", 500_000_000),
            ("1.5s", 1_500_000_000),
            (".5s", 500_000_000),
            ("1.s", SECOND),
            ("3h2m1s500ms", 10_921_500_000_000),
            ("10us", 10_000),
            ("10µs", 10_000),
            ("1ns", 1),
            ("7d", 7 * 86_400 * SECOND),
        ] {
            assert_eq!(parse(text).ok(), Some(Duration::from_nanos(nanos)), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_duration_is_refused() {
        for text in ["", "3", "-5s", "+5s", ".s", "s", "1.2.3s", "5 s", "1x", "1hm", "999999999999h", "1h30"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert_eq!(parse("30").expect_err("no unit").hint_text(), Some("add the unit: `30s`"));
        assert!(from_seconds(-1.0).is_err() && from_seconds(f64::INFINITY).is_err());
    }

    #[test]
    fn what_is_printed_is_read_back() {
        for text in ["0s", "1ns", "1.5µs", "500ms", "1.5s", "1m", "1m0.5s", "1h30m", "26h", "1h1s"] {
            assert_eq!(format(parse(text).unwrap()), text);
        }
    }
}
