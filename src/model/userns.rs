//! The user namespace of a container: whose ids its users are on the host.

use super::IdMaps;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Which user namespace a container gets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsernsSpec {
    /// The host's: Docker's default.
    #[default]
    Host,
    /// Its own, with ids of the host that nobody else has.
    Auto,
    /// Its own, in which the user who calls has its own number: for ordinary users.
    KeepId,
    /// Its own, with these ids.
    Maps(IdMaps),
}

impl UsernsSpec {
    /// `host`, `auto`, `private` or `keep-id`.
    pub fn named(text: &str) -> Result<Self> {
        match text {
            "" | "host" => Ok(Self::Host),
            "auto" | "private" => Ok(Self::Auto),
            "keep-id" => Ok(Self::KeepId),
            _ => Err(Error::invalid(format!("`{text}` is not a user namespace")).hint(
                "it is `host`, `auto`, `keep-id`, or maps: `#{ uid: [\"0:100000:65536\"], gid: [\"0:100000:65536\"] }`",
            )),
        }
    }
}
