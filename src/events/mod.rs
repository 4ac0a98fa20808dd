//! What happened in a root, from all its processes in one order: `events.jsonl`.
//!
//! Whoever makes something happen appends a line to the file under a lock that is held for that one write: commands
//! after their rows are committed, monitors after they have answered. A line is a Docker event with a sequence number,
//! which the next writer reads off the end of the file. What a writer that was killed left half written, the next one
//! takes away. Nothing is synced: events tell of what happens, rows of what is.

mod append;
mod end;
mod follow;
mod occurrence;

pub use append::{append, record};
pub use follow::read;
pub use occurrence::Occurrence;

/// Name of the file in the root.
pub const FILE_NAME: &str = "events.jsonl";
/// Where it goes when it has grown to [`ROTATE_AT`] bytes; what was there before is gone then.
pub const OLD_FILE_NAME: &str = "events.jsonl.1";
/// Size at which a new file is begun.
pub const ROTATE_AT: u64 = 10_000_000;
