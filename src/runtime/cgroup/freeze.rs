//! The freezer: processes of a group stand still until they are thawed.

use super::{Group, Hierarchy, write};
use crate::error::{Error, IoContext, Result};
use std::fs;

impl Group<'_> {
    /// Begins to freeze all processes of the group; [`Self::is_frozen`] tells when it is done.
    ///
    /// # Errors
    /// `unsupported` when this machine has no freezer.
    pub fn freeze(&self) -> Result<()> {
        self.set_frozen(true)
    }

    /// Lets all processes of the group go on.
    pub fn thaw(&self) -> Result<()> {
        self.set_frozen(false)
    }

    /// Whether all processes of the group stand still.
    pub fn is_frozen(&self) -> Result<bool> {
        let hierarchy = self.freezer()?;
        // On v1 a group is FREEZING first; writing FROZEN again takes along what has been forked meanwhile
        // (cgroup-v1/freezer-subsystem.rst).
        let (file, frozen) =
            if hierarchy.is_v2() { ("cgroup.events", "frozen 1") } else { ("freezer.state", "FROZEN") };
        let path = hierarchy.dir(self.path).join(file);
        let text = fs::read_to_string(&path).doing(|| format!("cannot read `{}`", path.display()))?;
        let is_frozen = text.lines().any(|line| line.trim() == frozen);
        if !is_frozen && !hierarchy.is_v2() {
            self.freeze()?;
        }
        Ok(is_frozen)
    }

    /// Whether this machine can freeze groups.
    pub fn has_freezer(&self) -> bool {
        self.freezer().is_ok()
    }

    /// Whether somebody has frozen the group: looks, and changes nothing.
    pub fn is_paused(&self) -> bool {
        let Ok(hierarchy) = self.freezer() else { return false };
        let file = if hierarchy.is_v2() { "cgroup.freeze" } else { "freezer.state" };
        let text = fs::read_to_string(hierarchy.dir(self.path).join(file)).unwrap_or_default();
        matches!(text.trim(), "1" | "FROZEN" | "FREEZING")
    }

    fn set_frozen(&self, frozen: bool) -> Result<()> {
        let hierarchy = self.freezer()?;
        let (file, value) = match (hierarchy.is_v2(), frozen) {
            (true, true) => ("cgroup.freeze", "1"),
            (true, false) => ("cgroup.freeze", "0"),
            (false, true) => ("freezer.state", "FROZEN"),
            (false, false) => ("freezer.state", "THAWED"),
        };
        write(&hierarchy.dir(self.path).join(file), value)
    }

    /// cgroup2 has its freezer without a controller, since Linux 5.2.
    fn freezer(&self) -> Result<&Hierarchy> {
        self.hierarchies.of("freezer").or(self.hierarchies.unified.as_ref()).ok_or_else(|| {
            Error::unsupported("containers cannot be paused: this machine has no freezer")
                .hint("mount cgroup2, or the `freezer` control group hierarchy")
        })
    }
}
