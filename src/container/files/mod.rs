//! The files of containers, running or not: copying, reading and writing them.
//!
//! The container is hostile: it exchanges folders for links while we look. So a path is resolved once, inside the
//! container's root, to a descriptor (`place`), and from there every step is relative to one (`sys::node`).

mod access;
mod content;
mod copier;
mod copy;
mod fill;
mod late_progress;
mod names;
mod place;
mod read;
mod stopped;
mod write;

pub use access::{BareRoot, bare_root};
pub use copy::{copy_from, copy_to};
pub use fill::fill;
pub use read::read_file;
pub use stopped::mount_bare;
pub use write::write_file;
