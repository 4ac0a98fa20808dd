//! What can be changed of a container that was made.

use super::RestartPolicy;

/// Changes of a container, which may run; `None`: as it is. Zero takes a limit away.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContainerUpdate {
    /// Processor limit, in processors.
    pub cpus: Option<f64>,
    /// Relative weight, 2 to 262144; 0: the default.
    pub cpu_shares: Option<u64>,
    /// Processors to run on, such as `0-3,5`.
    pub cpuset: Option<String>,
    /// Memory limit, bytes.
    pub memory: Option<u64>,
    /// Memory and swap together, bytes; -1: unlimited swap.
    pub memory_swap: Option<i64>,
    /// Soft memory limit, bytes.
    pub memory_reservation: Option<u64>,
    /// Most processes.
    pub pids: Option<u64>,
    /// Block I/O weight, 10 to 1000.
    pub io_weight: Option<u16>,
    /// What happens when it ends.
    pub restart: Option<RestartPolicy>,
}
