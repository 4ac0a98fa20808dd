//! Sizes in bytes: `512m`, `1.5g`, powers of 1024, as docker/go-units `RAMInBytes` takes them.

use crate::error::{Error, Result};

/// The units above a byte, each 1024 times the one before.
const UNITS: [char; 5] = ['k', 'm', 'g', 't', 'p'];

/// Bytes of a text such as `512m`, `1.5 GiB` or `4096`. A unit may be followed by `b` or `ib`.
pub fn parse(text: &str) -> Result<u64> {
    read(text).ok_or_else(|| {
        Error::invalid(format!("`{text}` is not a size")).hint("write it as `512m` or `1.5g`, or as a number of bytes")
    })
}

/// As people read it: `512MiB`, `1.5GiB`, `17B`. [`parse`] takes it back.
pub fn format(bytes: u64) -> String {
    let mut value = bytes as f64;
    let mut unit = String::from("B");
    for next in UNITS {
        // Compared as it will be printed: 1023.99 KiB reads `1024KiB`.
        if value < 1023.5 {
            break;
        }
        value /= 1024.0;
        unit = format!("{}iB", next.to_ascii_uppercase());
    }
    let digits = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    let number = format!("{value:.digits$}");
    let number = if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { &number };
    format!("{number}{unit}")
}

fn read(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
    let (number, suffix) = text.split_at(digits);
    let suffix = suffix.strip_prefix(' ').unwrap_or(suffix).to_ascii_lowercase();
    let factor = match suffix.as_str() {
        // Whole numbers are not sent through a float, which would round above 2^53.
        "" | "b" if !number.contains('.') => return number.parse().ok(),
        "" | "b" => 1.0,
        suffix => {
            let mut rest = suffix.chars();
            let unit = rest.next()?;
            if !matches!(rest.as_str(), "" | "b" | "ib") {
                return None;
            }
            1024f64.powi(UNITS.iter().position(|u| *u == unit)? as i32 + 1)
        }
    };
    let bytes = number.parse::<f64>().ok()? * factor;
    (bytes < u64::MAX as f64).then_some(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_powers_of_1024() {
        for (text, bytes) in [
            ("0", 0),
            ("32", 32),
            ("32b", 32),
            ("32B", 32),
            ("32k", 32 << 10),
            ("32K", 32 << 10),
            ("32kb", 32 << 10),
            ("32KiB", 32 << 10),
            ("32 m", 32 << 20),
            ("1.5g", 3 << 29),
            (".5m", 1 << 19),
            ("32.5kB", 33_280),
            ("2t", 2 << 40),
            ("1p", 1 << 50),
            ("9007199254740993", 9_007_199_254_740_993),
        ] {
            assert_eq!(parse(text).ok(), Some(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_size_is_refused() {
        for text in
            ["", "hello", "-32", "+3k", " 32 ", "32  k", "32km", "32bb", "32mib2", "1e3", "1.2.3", ".", "99999p", "k"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_printed_in_three_digits_and_read_back() {
        for (bytes, text) in [
            (0, "0B"),
            (17, "17B"),
            (1023, "1023B"),
            (1024, "1KiB"),
            (3 << 29, "1.5GiB"),
            (512 << 20, "512MiB"),
            ((1 << 20) - 1, "1MiB"),
            (123_456_789, "118MiB"),
        ] {
            assert_eq!(format(bytes), text);
            assert!(parse(text).is_ok());
        }
    }
}
