//! The user namespace of a container, and what has to be done before it is entered.
//!
//! It is made first, by a process that lives only until its maps are written: so mounts are mapped through it by a
//! process that still has the host's rights, and a restart finds the same one, which owns the container's network.

use super::device_nodes::{self, Ahead};
use super::init::Rootfs;
use super::overlay::Overlay;
use super::program;
use super::rootfs::is_kind;
use crate::error::{Error, IoContext, Result};
use crate::sys::capability;
use crate::sys::clone;
use crate::sys::mount::{FsContext, MountAttrs, attach, clone_tree, set_id_map};
use crate::sys::pidfd;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, open};
use nix::sched::{CloneFlags, setns};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, SFlag, fstat};
use nix::sys::wait::waitpid;
use nix::unistd::{Gid, Pid, Uid, fchdir, fchown, pause, setfsgid, setfsuid, setgroups, setresgid, setresuid};
use oci_spec::runtime::{LinuxIdMapping, LinuxNamespaceType, Spec};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// Whether containers of this specification are not in their parent's user namespace.
pub fn is_own(spec: &Spec) -> bool {
    let listed = spec.linux().as_ref().and_then(|linux| linux.namespaces().as_deref()).unwrap_or_default();
    listed.iter().any(|namespace| namespace.typ() == LinuxNamespaceType::User)
}

/// Makes a user namespace with the maps of the specification.
///
/// Only for processes with one thread: see [`clone::spawn`].
pub fn make(spec: &Spec) -> Result<File> {
    let (uids, gids) = id_maps(spec);
    let (uids, gids) = (map(uids, "uidMappings")?, map(gids, "gidMappings")?);
    let doing = || "cannot make a user namespace";
    let holder = clone::spawn(CloneFlags::CLONE_NEWUSER, None, || {
        let _ = prctl::set_pdeathsig(Signal::SIGKILL);
        pause();
        0
    });
    let holder = match holder {
        Err(Errno::ENOSPC | Errno::EUSERS | Errno::EINVAL) => {
            return Err(Error::unsupported("this machine lets nobody make a user namespace")
                .hint("raise the kernel parameter `user.max_user_namespaces`"));
        }
        other => other.doing(doing)?,
    };
    let of = |file: &str| format!("/proc/{}/{file}", holder.pid);
    let made = std::fs::write(of("uid_map"), uids)
        .doing(|| "cannot write the map of users")
        .and_then(|()| std::fs::write(of("gid_map"), gids).doing(|| "cannot write the map of groups"))
        .and_then(|()| File::open(of("ns/user")).doing(doing));
    let _ = pidfd::send_signal(&holder.pidfd, libc::SIGKILL);
    let _ = waitpid(Pid::from_raw(holder.pid), None);
    made
}

fn id_maps(spec: &Spec) -> (&[LinuxIdMapping], &[LinuxIdMapping]) {
    let Some(linux) = spec.linux() else { return (&[], &[]) };
    (linux.uid_mappings().as_deref().unwrap_or_default(), linux.gid_mappings().as_deref().unwrap_or_default())
}

/// The host's id of an id of the container.
fn on_host(ranges: &[LinuxIdMapping], id: u32) -> Option<u32> {
    let of = |range: &LinuxIdMapping| {
        let distance = id.checked_sub(range.container_id()).filter(|distance| *distance < range.size())?;
        range.host_id().checked_add(distance)
    };
    ranges.iter().find_map(of)
}

/// As the kernel takes it (user_namespaces(7)).
fn map(ranges: &[LinuxIdMapping], field: &str) -> Result<String> {
    let mut text = String::new();
    for range in ranges {
        let _ = writeln!(text, "{} {} {}", range.container_id(), range.host_id(), range.size());
    }
    if text.is_empty() {
        return Err(Error::invalid(format!("`linux.{field}` is empty: a new user namespace needs it"))
            .hint("add a range, or leave the `user` namespace out"));
    }
    Ok(text)
}

/// Enters it and becomes its root.
pub fn enter(user: BorrowedFd<'_>) -> Result<()> {
    setns(user, CloneFlags::CLONE_NEWUSER).doing(|| "cannot join the user namespace")?;
    become_root()
}

/// Becomes root of the user namespace that this process has joined: until then it is a user that has no number there.
pub fn become_root() -> Result<()> {
    let doing = || "cannot become root of the user namespace";
    match setgroups(&[]) {
        // Of a namespace that somebody without rights has made.
        Ok(()) | Err(Errno::EPERM) => {}
        Err(errno) => return Err(errno).doing(doing),
    }
    let (uid, gid) = (Uid::from_raw(0), Gid::from_raw(0));
    setresgid(gid, gid, gid).doing(doing)?;
    setresuid(uid, uid, uid).doing(doing)
}

/// Mounts the root, attached nowhere, and goes to where it is to be attached: in the mount namespace of the new root
/// user the way there could be barred.
///
/// What the layers hold is stored with the ids of the image, and so is what the container writes: the mounts below the
/// overlay are mapped, in this mount namespace, over themselves.
///
/// Its device nodes come with it, out of memory that is mounted there.
pub fn mount_root(rootfs: Rootfs<'_>, spec: &Spec, user: BorrowedFd<'_>) -> Result<(OwnedFd, Ahead)> {
    let (tree, place) = match rootfs {
        Rootfs::Overlay(plan) => {
            let all = plan.layers.iter().map(std::path::PathBuf::as_path).chain([plan.upper.as_path(), &plan.work]);
            // Folders of layers together: the order of a set has what is above first.
            let mut mapped: Vec<&Path> = Vec::new();
            for folder in all.filter_map(Path::parent).collect::<BTreeSet<_>>() {
                if !mapped.iter().any(|above| folder.starts_with(above)) {
                    map_over_itself(folder, user)?;
                    mapped.push(folder);
                }
            }
            let overlay = Overlay { lower: &plan.layers, upper: Some((&plan.upper, &plan.work)) };
            let tree = as_owner(spec, || overlay.mount(MountAttrs::empty(), Some(&plan.merged)))?;
            (tree, plan.merged.as_path())
        }
        // The owner of a bundle has given its files to the container's users.
        Rootfs::Directory(path) => {
            (clone_tree(AT_FDCWD, path, true).doing(|| format!("cannot mount the root `{}`", path.display()))?, path)
        }
    };
    let doing = || format!("cannot use `{}` as a mount point", place.display());
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let place = open(place, flags, Mode::empty()).doing(doing)?;
    let memory = FsContext::open(c"tmpfs").and_then(|memory| memory.mount(MountAttrs::NO_SUID)).doing(doing)?;
    attach(&memory, &place).doing(doing)?;
    let devices = spec.linux().as_ref().and_then(|linux| linux.devices().as_deref()).unwrap_or_default();
    let nodes = device_nodes::make_ahead(&memory, devices, |(uid, gid)| {
        let (uids, gids) = id_maps(spec);
        let or_root = |ranges, id| on_host(ranges, id).or(on_host(ranges, 0)).unwrap_or(0);
        (or_root(uids, uid), or_root(gids, gid))
    })?;
    fchdir(&place).doing(doing)?;
    Ok((tree, nodes))
}

/// Runs something as the container's root, as far as files are concerned, with our own capabilities: overlayfs makes its
/// own files as who mounts it, and those mounts have no owner that is not one of the container's.
fn as_owner<T>(spec: &Spec, run: impl FnOnce() -> Result<T>) -> Result<T> {
    let (uids, gids) = id_maps(spec);
    let root_of = |ranges| on_host(ranges, 0).unwrap_or(0);
    let own = (setfsgid(Gid::from_raw(root_of(gids))), setfsuid(Uid::from_raw(root_of(uids))));
    // Those that concern files go with the user id (capabilities(7)).
    let all = program::available_capabilities();
    capability::set(all, all, 0).doing(|| "cannot keep the capabilities")?;
    let result = run();
    setfsgid(own.0);
    setfsuid(own.1);
    result
}

fn map_over_itself(folder: &Path, user: BorrowedFd<'_>) -> Result<()> {
    let doing = || format!("cannot map the owners in `{}`", folder.display());
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let place = open(folder, flags, Mode::empty()).doing(doing)?;
    let tree = clone_tree(place.as_fd(), Path::new(""), false).doing(doing)?;
    map_ids(&tree, user, false, &folder.display().to_string())?;
    attach(&tree, &place).doing(doing)
}

/// Maps the owners in a mount that is attached nowhere.
pub fn map_ids(tree: &OwnedFd, user: BorrowedFd<'_>, recursive: bool, name: &str) -> Result<()> {
    match set_id_map(tree, user, recursive) {
        Err(Errno::EINVAL | Errno::EOPNOTSUPP | Errno::ENOSYS) => {
            Err(Error::unsupported(format!("the file system of `{name}` cannot map owners on this kernel"))
                .hint("leave `userns` out, or have the files on ext4, xfs or btrfs with Linux 5.19 or later"))
        }
        other => other.doing(|| format!("cannot map the owners in `{name}`")),
    }
}

/// Gives the pipes of the program to the container's root, so that it can open `/dev/stdout`.
pub fn give_stdio(spec: &Spec) {
    let (uids, gids) = id_maps(spec);
    let owner = (on_host(uids, 0).map(Uid::from_raw), on_host(gids, 0).map(Gid::from_raw));
    let (input, output, error) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    let is_pipe = |fd: &BorrowedFd<'_>| fstat(fd).is_ok_and(|stat| is_kind(&stat, SFlag::S_IFIFO));
    for fd in [input.as_fd(), output.as_fd(), error.as_fd()].into_iter().filter(is_pipe) {
        // Where the kernel says no, the program finds out by itself when it opens one.
        let _ = fchown(fd, owner.0, owner.1);
    }
}

/// Raises the limits that only the host's root can raise.
pub fn raise_limits(spec: &Spec) -> Result<()> {
    let limits = spec.process().as_ref().and_then(|process| process.rlimits().as_deref()).unwrap_or_default();
    limits.iter().try_for_each(program::raise_limit)
}
