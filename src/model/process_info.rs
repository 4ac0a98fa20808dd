//! A process of a container.

/// A process as `docker top` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessInfo {
    /// Name of its user on the host, or the number where it has none.
    pub user: String,
    /// Pid on the host.
    pub pid: i32,
    /// Its parent's.
    pub ppid: i32,
    /// Percent of a processor that it has used over its life.
    pub cpu_percent: u64,
    /// When it started.
    pub started: jiff::Timestamp,
    /// Its terminal: `pts/0`, `?` without one.
    pub tty: String,
    /// Time on processors, seconds.
    pub cpu_seconds: u64,
    /// Its command line, or its name in brackets when that is empty.
    pub command: String,
}
