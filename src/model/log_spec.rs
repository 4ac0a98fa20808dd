//! What becomes of a container's output.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// Docker has no limit by itself, and every second guide to it says how to set this one.
const DEFAULT_SIZE: u64 = 10 << 20;
/// The one that is written, and those before it.
const DEFAULT_FILES: u32 = 3;
/// More files would have to be renamed one by one at each turn.
const MOST_FILES: u32 = 1000;

/// Where the log goes and how much of it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogSpec {
    /// How it is written.
    pub driver: LogDriver,
    /// Bytes of a file at which the next one is begun; 0: never.
    pub max_size: u64,
    /// How many files there are, with the one that is written.
    pub max_files: u32,
}

impl Default for LogSpec {
    fn default() -> Self {
        Self { driver: LogDriver::JsonFile, max_size: DEFAULT_SIZE, max_files: DEFAULT_FILES }
    }
}

impl LogSpec {
    /// Refuses what cannot be.
    pub fn check(&self) -> Result<()> {
        if (1..=MOST_FILES).contains(&self.max_files) {
            return Ok(());
        }
        Err(Error::invalid(format!("a log cannot have {} files", self.max_files))
            .hint(format!("`max_file` is a number from 1 to {MOST_FILES}")))
    }
}

/// How a log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogDriver {
    /// Docker's format: a JSON object a line.
    #[default]
    #[serde(rename = "json-file")]
    JsonFile,
    /// Not at all: output goes to who is attached, or nowhere.
    #[serde(rename = "none")]
    None,
}

impl LogDriver {
    /// Docker's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::JsonFile => "json-file",
            Self::None => "none",
        }
    }
}

impl FromStr for LogDriver {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "json-file" => Ok(Self::JsonFile),
            "none" => Ok(Self::None),
            "local" | "journald" | "syslog" | "fluentd" | "gelf" | "awslogs" | "splunk" | "gcplogs" | "etwlogs"
            | "logentries" => Err(Error::unsupported(format!("logs are not written with the driver `{text}`"))
                .hint("use `json-file`, and send its lines on with `follow`")),
            other => Err(Error::invalid(format!("`{other}` is not a log driver")).hint("it is `json-file` or `none`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn drivers_are_known_by_dockers_names() {
        for driver in [LogDriver::JsonFile, LogDriver::None] {
            assert_eq!(driver.name().parse::<LogDriver>().unwrap(), driver);
            assert_eq!(serde_json::to_value(driver).unwrap(), driver.name());
        }
        for (name, kind) in [("journald", ErrorKind::Unsupported), ("json", ErrorKind::Invalid)] {
            let error = name.parse::<LogDriver>().unwrap_err();
            assert!(error.is(kind) && error.hint_text().is_some());
        }
    }

    #[test]
    fn a_log_has_at_least_one_file() {
        for (max_files, fits) in [(0, false), (1, true), (1000, true), (1001, false)] {
            assert_eq!(LogSpec { max_files, ..LogSpec::default() }.check().is_ok(), fits);
        }
    }
}
