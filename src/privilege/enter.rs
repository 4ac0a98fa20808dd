//! Into the user's namespace.

use super::newidmap::{self, Subordinate};
use super::{members, places, ranges};
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::sys::clone;
use crate::sys::pidfd;
use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::wait::waitpid;
use nix::unistd::{Gid, Pid, Uid, getegid, geteuid, pause, setresgid, setresuid};
use std::fs::{self, File};
use std::path::Path;

/// Moves this process into its user's namespace, and has it be root there; nothing to do for root, of this machine or of
/// a user namespace. It stays in the mount, network and other namespaces that it is in.
///
/// Only for processes with one thread.
///
/// # Errors
/// `unsupported` when this machine lets ordinary users make no user namespace, `denied` when `newuidmap` refuses.
pub fn enter() -> Result<()> {
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    if uid == 0 {
        return Ok(());
    }
    let maps = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    if ranges::is_root_outside(&maps, uid) {
        // Nobody gets out of a user namespace, so it cannot be in the one of the others.
        return Err(Error::unsupported("`shanty` is called in a user namespace whose only user is root outside")
            .hint("in a script without root, `host()` has programs run in one: call the script's functions, or `import` the other script"));
    }
    let ranges = Subordinate::of(uid);
    let base = places::base_of_user(uid, ranges.is_some())?;
    let making = members::hold_making(&base)?;
    match members::pids(&base).into_iter().find_map(|pid| namespace_of(&base, pid)) {
        Some(there) => join(&there)?,
        None => make(uid, gid, ranges.as_ref())?,
    }
    members::register(&base)?;
    drop(making);
    Ok(())
}

/// The user namespace of a member; `None` when it has ended, or is not in one yet.
fn namespace_of(base: &Path, pid: i32) -> Option<File> {
    let own = fs::read_link("/proc/self/ns/user").ok()?;
    let path = format!("/proc/{pid}/ns/user");
    let there = (fs::read_link(&path).ok()? != own).then(|| File::open(path).ok())??;
    // Until it was opened, the number may have been given to somebody else.
    members::pids(base).contains(&pid).then_some(there)
}

/// A child that makes the namespace, and lives until this process is in it: the maps are written from outside.
fn make(uid: u32, gid: u32, ranges: Option<&Subordinate>) -> Result<()> {
    let holder = clone::spawn(CloneFlags::CLONE_NEWUSER, None, || {
        let _ = prctl::set_pdeathsig(Signal::SIGKILL);
        pause();
        0
    });
    let holder = holder.map_err(|errno| match errno {
        Errno::EPERM | Errno::EACCES | Errno::ENOSPC | Errno::EUSERS | Errno::EINVAL => {
            Error::unsupported(format!("this machine does not let you make a user namespace: {}", errno.desc()))
                .hint("`shanty doctor` says what to change; root needs none")
        }
        _ => Error::new(ErrorKind::Io, format!("cannot make a user namespace: {}", errno.desc())),
    })?;
    let result = newidmap::write(holder.pid, uid, gid, ranges).and_then(|()| {
        join(&File::open(format!("/proc/{}/ns/user", holder.pid)).doing(|| "cannot open the user namespace")?)
    });
    let _ = pidfd::send_signal(&holder.pidfd, libc::SIGKILL);
    let _ = waitpid(Pid::from_raw(holder.pid), None);
    result
}

fn join(namespace: &File) -> Result<()> {
    setns(namespace, CloneFlags::CLONE_NEWUSER).doing(|| "cannot enter your user namespace")?;
    let doing = || "cannot become root of your user namespace";
    // The groups stay: what they let the user read, its bind mounts may read.
    let (uid, gid) = (Uid::from_raw(0), Gid::from_raw(0));
    setresgid(gid, gid, gid).doing(doing)?;
    setresuid(uid, uid, uid).doing(doing)?;
    // Another user now: its own files in `/proc` would belong to nobody.
    prctl::set_dumpable(true).doing(doing)
}
