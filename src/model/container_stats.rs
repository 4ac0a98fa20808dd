//! What a container uses.

use serde::Serialize;

/// What a container uses at a moment, as `docker stats` shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ContainerStats {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Of one processor, since the last look: 200 is two whole processors.
    pub cpu_percent: f64,
    /// Time on processors since it was started, seconds.
    pub cpu_seconds: f64,
    /// Bytes of memory, without the file cache that the kernel would give up first.
    pub memory: u64,
    /// Its limit, or the machine's memory.
    pub memory_limit: u64,
    /// `memory` of `memory_limit`.
    pub memory_percent: f64,
    /// Bytes received over its network.
    pub network_rx: u64,
    /// Bytes sent.
    pub network_tx: u64,
    /// Bytes read from block devices.
    pub block_read: u64,
    /// Bytes written.
    pub block_write: u64,
    /// Processes and threads.
    pub pids: u64,
    /// When it was looked at.
    pub time: jiff::Timestamp,
}
