//! What to do with a container that becomes unhealthy.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What happens when the health check has failed too often: Podman's `--health-on-failure`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnUnhealthy {
    /// It is shown, no more.
    #[default]
    None,
    /// It is stopped and started again, whatever its restart policy.
    Restart,
    /// It is stopped, as by hand.
    Stop,
    /// It is killed; its restart policy decides what comes then.
    Kill,
}

impl FromStr for OnUnhealthy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "none" => Ok(Self::None),
            "restart" => Ok(Self::Restart),
            "stop" => Ok(Self::Stop),
            "kill" => Ok(Self::Kill),
            _ => Err(Error::invalid(format!("`{text}` is nothing that can be done with an unhealthy container"))
                .hint("it is one of `none`, `restart`, `stop`, `kill`")),
        }
    }
}

impl fmt::Display for OnUnhealthy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Restart => "restart",
            Self::Stop => "stop",
            Self::Kill => "kill",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_printed() {
        for text in ["none", "restart", "stop", "kill"] {
            assert_eq!(text.parse::<OnUnhealthy>().unwrap().to_string(), text);
        }
        assert!("reboot".parse::<OnUnhealthy>().unwrap_err().hint_text().is_some());
    }
}
