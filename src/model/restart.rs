//! Restart policies: `no`, `on-failure:3`, `always`, `unless-stopped`.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// When to start a container again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartPolicy {
    /// Never.
    #[default]
    No,
    /// After a code other than 0, so many times; 0: without limit.
    OnFailure(u32),
    /// Always, also after a reboot.
    Always,
    /// Like `Always`, unless it was stopped by hand.
    UnlessStopped,
}

impl FromStr for RestartPolicy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.split_once(':') {
            None => match text {
                "" | "no" => Some(Self::No),
                "on-failure" => Some(Self::OnFailure(0)),
                "always" => Some(Self::Always),
                "unless-stopped" => Some(Self::UnlessStopped),
                _ => None,
            },
            Some(("on-failure", count)) => count.parse().ok().map(Self::OnFailure),
            Some(_) => None,
        }
        .ok_or_else(|| {
            Error::invalid(format!("`{text}` is not a restart policy"))
                .hint("it is one of `no`, `on-failure`, `on-failure:3`, `always`, `unless-stopped`")
        })
    }
}

impl fmt::Display for RestartPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::No => f.write_str("no"),
            Self::OnFailure(0) => f.write_str("on-failure"),
            Self::OnFailure(count) => write!(f, "on-failure:{count}"),
            Self::Always => f.write_str("always"),
            Self::UnlessStopped => f.write_str("unless-stopped"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_read_and_printed() {
        for text in ["no", "on-failure", "on-failure:3", "always", "unless-stopped"] {
            assert_eq!(text.parse::<RestartPolicy>().unwrap().to_string(), text);
        }
        assert_eq!("".parse::<RestartPolicy>().ok(), Some(RestartPolicy::No));
        for text in [":1", "always:2", "always:2:3", "on-failure:x", "on-failure:-1", "on-failure:", "never"] {
            assert!(text.parse::<RestartPolicy>().is_err(), "{text}");
        }
    }
}
