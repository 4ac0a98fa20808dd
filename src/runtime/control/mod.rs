//! How commands talk to the monitor of a container: messages, and the caller's side of them.

mod channel;
mod connection;
mod launch;
mod program;
pub mod protocol;
mod summon;
mod sweep;

pub use channel::Channel;
pub use connection::{Attachment, Connection, Execution, Exit, address_in};
pub use launch::{Prepared, Started, launch};
pub use program::{protected, set_program};
pub use summon::{CLEANER_ARGV0, MONITOR_ARGV0, Summons, keep_child, summon};
pub use sweep::{sweep_dead, sweep_monitors_group, wait_until_gone};
