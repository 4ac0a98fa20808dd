//! Programs of the machine that work for the user.

use super::Privilege;
use crate::sys::child_identity;
use std::process::Command;

/// A program of the machine. It runs as who called us: in a user's namespace we are root, and `ssh`, `git` and the like
/// would look for root's files.
pub fn program(name: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(name);
    let privilege = Privilege::current();
    if privilege.is_rootless() {
        child_identity::set(&mut command, privilege.uid(), privilege.gid());
    }
    command
}
