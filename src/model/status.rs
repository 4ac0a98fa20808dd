//! The states of a container.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Docker's container states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Made, never started.
    Created,
    /// Its program runs.
    Running,
    /// Frozen.
    Paused,
    /// Ended; about to be started again by its restart policy.
    Restarting,
    /// Its program has ended.
    Exited,
    /// Being removed.
    Removing,
    /// It could not be removed.
    Dead,
}

impl Status {
    /// All states.
    pub const ALL: [Self; 7] =
        [Self::Created, Self::Running, Self::Paused, Self::Restarting, Self::Exited, Self::Removing, Self::Dead];

    /// The name that scripts see.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Exited => "exited",
            Self::Removing => "removing",
            Self::Dead => "dead",
        }
    }

    /// The state with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Whether it has not come to its end: its processes exist, or are about to exist again.
    pub const fn is_alive(self) -> bool {
        matches!(self, Self::Running | Self::Paused | Self::Restarting)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
