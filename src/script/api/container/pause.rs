//! `container.pause()` and `.unpause()`.

use super::Container;
use crate::error::Result;
use crate::script::binding::{Call, api};

#[api]
impl Container {
    /// Freezes all its processes: they stand still until `unpause()`, `stop()` or `kill()`. Gives the container.
    ///
    /// # Example (engine)
    /// container("web").pause();
    ///
    /// # Errors
    /// `conflict` when it does not run or is paused already, `unsupported` when the machine has no freezer.
    pub fn pause(&self, call: &Call) -> Result<Container> {
        call.engine()?.pause(&call.context(), self.reference())?;
        Ok(Self::new(self.reference()))
    }

    /// Lets the processes of a paused container go on. Gives the container.
    ///
    /// # Example (engine)
    /// container("web").unpause();
    ///
    /// # Errors
    /// `conflict` when it is not paused.
    pub fn unpause(&self, call: &Call) -> Result<Container> {
        call.engine()?.unpause(&call.context(), self.reference())?;
        Ok(Self::new(self.reference()))
    }
}
