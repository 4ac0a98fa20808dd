//! The user namespace of a container, and what has to be done before it is entered.
//!
//! It is made first, by a process that lives only until its maps are written: so mounts are mapped through it by a
//! process that still has the host's rights, and a restart finds the same one, which owns the container's network.

use super::device_nodes::{self, Ahead};
use super::init::Rootfs;
use super::overlay::Overlay;
use super::program;
use super::rootfs::is_kind;
use super::spec;
use crate::error::{Error, IoContext, Result};
use crate::model::{IdMaps, IdRange, Owner};
use crate::privilege::Privilege;
use crate::sys::clone;
use crate::sys::file_owner::FileOwner;
use crate::sys::mount::{FsContext, MountAttrs, attach, clone_tree, set_id_map};
use crate::sys::pidfd;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, open};
use nix::sched::{CloneFlags, setns};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, SFlag, fstat};
use nix::sys::wait::waitpid;
use nix::unistd::{Gid, Pid, Uid, fchdir, fchown, pause, pipe2, setgroups, setresgid, setresuid};
use oci_spec::runtime::{LinuxIdMapping, LinuxNamespaceType, Mount, Spec};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Whether containers of this specification are not in their parent's user namespace.
pub fn is_own(spec: &Spec) -> bool {
    let listed = spec.linux().as_ref().and_then(|linux| linux.namespaces().as_deref()).unwrap_or_default();
    listed.iter().any(|namespace| namespace.typ() == LinuxNamespaceType::User)
}

/// Makes a user namespace.
///
/// Only for processes with one thread: see [`clone::spawn`].
pub fn make(maps: &IdMaps) -> Result<File> {
    let (uids, gids) = (map(&maps.uid, "uidMappings")?, map(&maps.gid, "gidMappings")?);
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

/// The maps of the specification; none without a user namespace.
pub fn maps_of(spec: &Spec) -> IdMaps {
    let Some(linux) = spec.linux() else { return IdMaps::default() };
    IdMaps { uid: ranges(linux.uid_mappings().as_deref()), gid: ranges(linux.gid_mappings().as_deref()) }
}

fn ranges(mappings: Option<&[LinuxIdMapping]>) -> Vec<IdRange> {
    let range = |it: &LinuxIdMapping| IdRange { inside: it.container_id(), outside: it.host_id(), count: it.size() };
    mappings.unwrap_or_default().iter().map(range).collect()
}

/// The maps that a mount has of its own.
pub fn maps_of_mount(mount: &Mount) -> Option<IdMaps> {
    let maps = IdMaps { uid: ranges(mount.uid_mappings().as_deref()), gid: ranges(mount.gid_mappings().as_deref()) };
    (maps != IdMaps::default()).then_some(maps)
}

/// The maps that the user namespace of others has.
///
/// Only for processes with one thread: see [`clone::spawn`].
fn maps_in(user: BorrowedFd<'_>) -> Result<IdMaps> {
    let doing = || "cannot read the maps of the user namespace";
    let (read, write) = pipe2(OFlag::O_CLOEXEC).doing(doing)?;
    // Somebody inside sees the ids of the namespace around it: ours.
    let reader = clone::spawn(CloneFlags::empty(), None, || {
        let maps = setns(user, CloneFlags::CLONE_NEWUSER).map_err(std::io::Error::from).and_then(|()| {
            Ok([std::fs::read("/proc/self/uid_map")?, b"\n".to_vec(), std::fs::read("/proc/self/gid_map")?].concat())
        });
        let written = maps.and_then(|maps| File::from(write).write_all(&maps));
        i32::from(written.is_err())
    });
    let reader = reader.doing(doing)?;
    let mut text = String::new();
    let found = File::from(read).read_to_string(&mut text).doing(doing);
    let _ = waitpid(Pid::from_raw(reader.pid), None);
    found?;
    let of = |text: &str| text.lines().filter_map(range).collect::<Vec<_>>();
    match text.split_once("\n\n") {
        Some((uids, gids)) => Ok(IdMaps { uid: of(uids), gid: of(gids) }),
        None => Err(Error::invalid("the user namespace to join cannot be entered, or has no maps")
            .hint("is the path in `linux.namespaces` one of a user namespace that this one contains?")),
    }
}

/// Writes the maps of a user namespace that is joined into the specification, which need not have them.
pub fn complete_maps(spec: &mut Spec, user: BorrowedFd<'_>) -> Result<()> {
    if maps_of(spec) != IdMaps::default() {
        return Ok(());
    }
    let maps = maps_in(user)?;
    let bad = |error| Error::invalid(format!("the maps of the user namespace are of no use: {error}"));
    let mut linux = spec.linux().clone().unwrap_or_default();
    linux.set_uid_mappings(Some(spec::id_mappings(&maps.uid).map_err(bad)?));
    linux.set_gid_mappings(Some(spec::id_mappings(&maps.gid).map_err(bad)?));
    spec.set_linux(Some(linux));
    Ok(())
}

/// A line of a map (user_namespaces(7)).
fn range(line: &str) -> Option<IdRange> {
    let mut numbers = line.split_whitespace().map(|number| number.parse().ok());
    Some(IdRange { inside: numbers.next()??, outside: numbers.next()??, count: numbers.next()?? })
}

/// As the kernel takes it (user_namespaces(7)).
fn map(ranges: &[IdRange], field: &str) -> Result<String> {
    let mut text = String::new();
    for range in ranges {
        let _ = writeln!(text, "{} {} {}", range.inside, range.outside, range.count);
    }
    if text.is_empty() {
        return Err(Error::invalid(format!("`{field}` is empty: a new user namespace needs it"))
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
    // In a namespace with one id that is not root's it stays who it is, with all rights in it.
    match setresgid(gid, gid, gid).and_then(|()| setresuid(uid, uid, uid)) {
        Err(Errno::EINVAL) if !Privilege::current().has_many_ids() => Ok(()),
        other => other.doing(doing),
    }
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
            // Nobody else than root maps the owners of a disk's files: its containers have those that are there.
            let folders =
                if Privilege::current().is_rootless() { BTreeSet::new() } else { all.filter_map(mount_of).collect() };
            for folder in folders {
                if !mapped.iter().any(|above| folder.starts_with(above)) {
                    map_over_itself(folder, user)?;
                    mapped.push(folder);
                }
            }
            let overlay =
                Overlay { lower: &plan.layers, upper: Some((&plan.upper, &plan.work)), volatile: plan.volatile };
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
    let maps = maps_of(spec);
    if Privilege::current().is_rootless() {
        fchdir(&place).doing(doing)?;
        return Ok((tree, device_nodes::of_host(devices)?));
    }
    let nodes = device_nodes::make_ahead(&memory, devices, |(uid, gid)| {
        let known = maps.on_host((uid, gid)).or(maps.on_host((uid, 0))).or(maps.on_host((0, gid)));
        known.unwrap_or(root_of(&maps))
    })?;
    fchdir(&place).doing(doing)?;
    Ok((tree, nodes))
}

/// The container's root on the host.
pub fn root_of(maps: &IdMaps) -> Owner {
    maps.on_host((0, 0)).unwrap_or((0, 0))
}

/// Runs something as the container's root, as far as files are concerned: overlayfs makes its own files as who mounts
/// it, and those mounts have no owner that is not one of the container's.
fn as_owner<T>(spec: &Spec, run: impl FnOnce() -> Result<T>) -> Result<T> {
    let _owner = FileOwner::enter(root_of(&maps_of(spec)), program::available_capabilities())
        .doing(|| "cannot keep the capabilities")?;
    run()
}

/// What is mapped for a layer: what is mounted there, else the folder that it is in.
fn mount_of(layer: &Path) -> Option<&Path> {
    let parent = layer.parent()?;
    let device = |path: &Path| path.metadata().map(|metadata| metadata.dev()).ok();
    Some(if device(layer) == device(parent) { parent } else { layer })
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
    let owner = maps_of(spec).on_host((0, 0));
    let owner = (owner.map(|(uid, _)| Uid::from_raw(uid)), owner.map(|(_, gid)| Gid::from_raw(gid)));
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
