//! One row of the table of system calls.

use super::profile::Rule;

/// One system call.
#[derive(Clone, Copy, Debug)]
pub struct Syscall {
    /// Its name: what profiles look it up by.
    pub name: &'static str,
    /// Its number on each architecture of [`super::profile::Arch`], in that order; [`NONE`] where there is none.
    pub numbers: [u16; 4],
    /// What the default profile says.
    pub rule: Rule,
}

/// There is no such call on this architecture.
pub const NONE: u16 = u16::MAX;

/// A row.
pub const fn row(name: &'static str, numbers: [u16; 4], rule: Rule) -> Syscall {
    Syscall { name, numbers, rule }
}
