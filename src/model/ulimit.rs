//! Resource limits as text: `nofile=1024`, `nofile=1024:2048`, `core=-1`.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// The limits that a process has (getrlimit(2)), as Docker names them.
const NAMES: [&str; 15] = [
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

/// One resource limit of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    /// Name in lower case without `RLIMIT_`: `nofile`, `nproc`, …
    pub name: String,
    /// Soft limit; `u64::MAX`: unlimited.
    pub soft: u64,
    /// Hard limit; `u64::MAX`: unlimited.
    pub hard: u64,
}

impl Ulimit {
    /// A limit; -1 means unlimited.
    pub fn new(name: &str, soft: i64, hard: i64) -> Result<Self> {
        if !NAMES.contains(&name) {
            return Err(Error::invalid(format!("`{name}` is not a resource limit"))
                .hint(format!("it is one of {}", NAMES.join(", "))));
        }
        let limit = |value: i64| match value {
            -1 => Ok(u64::MAX),
            value => u64::try_from(value).map_err(|_| {
                Error::invalid(format!("the limit of `{name}` cannot be {value}")).hint("-1 is unlimited")
            }),
        };
        let (soft, hard) = (limit(soft)?, limit(hard)?);
        if soft > hard {
            return Err(Error::invalid(format!("the soft limit of `{name}` is above its hard limit")));
        }
        Ok(Self { name: name.to_owned(), soft, hard })
    }
}

impl FromStr for Ulimit {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = || {
            Error::invalid(format!("`{text}` is not a resource limit"))
                .hint("write it as `nofile=1024` or `nofile=1024:2048`")
        };
        let (name, limits) = text.split_once('=').ok_or_else(bad)?;
        let (soft, hard) = limits.split_once(':').unwrap_or((limits, limits));
        Self::new(name, soft.parse().map_err(|_| bad())?, hard.parse().map_err(|_| bad())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_soft_and_hard() {
        for (text, name, soft, hard) in [
            ("nofile=512", "nofile", 512, 512),
            ("nofile=512:1024", "nofile", 512, 1024),
            ("core=0:-1", "core", 0, u64::MAX),
            ("memlock=-1", "memlock", u64::MAX, u64::MAX),
        ] {
            assert_eq!(text.parse::<Ulimit>().ok(), Some(Ulimit { name: name.into(), soft, hard }), "{text}");
        }
        for text in
            ["", "nofile", "nofile=", "nofile=a", "nofile=1:2:3", "nofile=2:1", "nofile=-1:5", "nofile=-2", "bogus=1"]
        {
            assert!(text.parse::<Ulimit>().is_err(), "{text}");
        }
    }
}
