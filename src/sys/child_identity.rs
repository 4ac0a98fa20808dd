//! Children of the root of a user namespace that are the user outside again: to a program such as `ssh` or `git`, who it
//! works for is who its number says.
#![allow(unsafe_code)]

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::Mode;
use nix::unistd::write;
use std::ffi::CStr;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Has the program run as this user and group, in a user namespace of its own, where root is called so. It has the same
/// files and no capability.
pub fn set(command: &mut Command, uid: u32, gid: u32) {
    let (uids, gids) = (format!("{uid} 0 1"), format!("{gid} 0 1"));
    let become_user = move || {
        unshare(CloneFlags::CLONE_NEWUSER)?;
        // Else the kernel takes no map of groups from somebody without rights.
        set_file(c"/proc/self/setgroups", b"deny")?;
        set_file(c"/proc/self/uid_map", uids.as_bytes())?;
        set_file(c"/proc/self/gid_map", gids.as_bytes()).map_err(io::Error::from)
    };
    // SAFETY: between fork and exec only system calls are made: the texts are there already, and nothing is allocated.
    unsafe {
        command.pre_exec(become_user);
    }
}

fn set_file(path: &CStr, text: &[u8]) -> nix::Result<()> {
    let file = open(path, OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    if write(&file, text)? == text.len() { Ok(()) } else { Err(Errno::EIO) }
}
