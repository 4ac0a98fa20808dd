//! What can be changed of a container that was made.

use super::{ResourceLimits, RestartPolicy};

/// Changes of a container, which may run; `None`: as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContainerUpdate {
    /// Limits that are set anew.
    pub limits: ResourceLimits,
    /// What happens when it ends.
    pub restart: Option<RestartPolicy>,
}
