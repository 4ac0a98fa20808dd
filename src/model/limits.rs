//! What a container may use of the machine.

use serde::{Deserialize, Serialize};

/// Limits of the control groups; `None`: none is asked for, or, in a change, as it is. Zero takes one away.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResourceLimits {
    /// In processors: 1.5 is one and a half.
    pub cpus: Option<f64>,
    /// Relative weight, 2 to 262144; 1024 is the default.
    pub cpu_shares: Option<u64>,
    /// Processors to run on, such as `0-3,5`.
    pub cpuset: Option<String>,
    /// Memory, bytes.
    pub memory: Option<u64>,
    /// Memory and swap together, bytes; -1: unlimited swap. `None` with `memory`: twice that, where swap can be
    /// limited, as Docker.
    pub memory_swap: Option<i64>,
    /// Soft limit of memory, bytes.
    pub memory_reservation: Option<u64>,
    /// Processes.
    pub pids: Option<u64>,
    /// Block I/O weight, 10 to 1000.
    pub io_weight: Option<u16>,
}

impl ResourceLimits {
    /// These, and where nothing is said those.
    #[must_use]
    pub fn or(&self, those: &Self) -> Self {
        Self {
            cpus: self.cpus.or(those.cpus),
            cpu_shares: self.cpu_shares.or(those.cpu_shares),
            cpuset: self.cpuset.clone().or_else(|| those.cpuset.clone()),
            memory: self.memory.or(those.memory),
            memory_swap: self.memory_swap.or(those.memory_swap),
            memory_reservation: self.memory_reservation.or(those.memory_reservation),
            pids: self.pids.or(those.pids),
            io_weight: self.io_weight.or(those.io_weight),
        }
    }

    /// Whether memory is limited.
    pub fn has_memory_limit(&self) -> bool {
        self.memory.is_some_and(|bytes| bytes != 0)
    }
}
