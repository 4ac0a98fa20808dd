//! What a monitor does before it knows what to launch, while its caller writes that down: it needs the container's
//! id alone.

use crate::error::Result;
use crate::runtime::cgroup::{Hierarchies, remove_if_empty};
use std::path::{Path, PathBuf};

/// What was made ahead.
pub struct Ahead {
    /// The machine's control groups.
    pub hierarchies: Hierarchies,
    group: PathBuf,
}

impl Ahead {
    /// Makes the container's control groups, `shanty/<id8>/<container>`.
    pub fn make(group: &Path) -> Result<Self> {
        let hierarchies = Hierarchies::of_monitor(group)?;
        for hierarchy in hierarchies.all() {
            // A failure comes again, and is told, when the container is to enter them.
            let _ = hierarchy.create(group);
        }
        Ok(Self { hierarchies, group: group.to_owned() })
    }

    /// Takes it away: there will be no launch.
    pub fn undo(&self) {
        remove_if_empty(&self.hierarchies, &self.group);
    }
}
