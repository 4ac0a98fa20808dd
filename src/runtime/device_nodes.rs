//! `/dev` of a container: the nodes that every program expects, those that were asked for, and links.

use super::rootfs::{Missing, Root, is_kind};
use crate::error::{Error, IoContext, Result};
use crate::sys::mount::{attach, clone_tree};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::sys::stat::{FchmodatFlags, Mode, SFlag, fchmodat, fstatat, makedev, mknodat, stat};
use nix::unistd::{Gid, Uid, fchownat, symlinkat};
use oci_spec::runtime::{LinuxDevice, LinuxDeviceType};
use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// What the OCI runtime specification says must be there, beside `console` and `ptmx`.
const DEFAULT: [(&str, u64, u64); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];
/// Links of `/dev`; the specification's, and Docker's `core`.
const LINKS: [(&str, &str); 6] = [
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
    ("pts/ptmx", "ptmx"),
    ("/proc/kcore", "core"),
];

/// Of those, what the bundle does not describe itself: its owner and mode count.
fn default_of(devices: &[LinuxDevice]) -> impl Iterator<Item = (&'static str, u64, u64)> {
    let is_listed = |name: &str| devices.iter().any(|device| device.path().strip_prefix("/dev") == Ok(Path::new(name)));
    DEFAULT.into_iter().filter(move |(name, _, _)| !is_listed(name))
}

/// Nodes that were made ahead, by their path: in a user namespace nobody can make one.
pub type Ahead = HashMap<PathBuf, OwnedFd>;

/// Makes all nodes in `memory`, a file system that is mounted in this mount namespace, for [`make`] in a user namespace.
/// `owner` gives the host's ids of ids of the container.
pub fn make_ahead(
    memory: &OwnedFd,
    devices: &[LinuxDevice],
    owner: impl Fn((u32, u32)) -> (u32, u32),
) -> Result<Ahead> {
    let mut ahead = Ahead::new();
    let mut add = |path: &Path, kind: SFlag, mode: u32, number: u64, ids: (u32, u32)| {
        let name = ahead.len().to_string();
        make_node(memory.as_fd(), Path::new(&name), kind, mode, number, owner(ids))?;
        let node = clone_tree(memory.as_fd(), Path::new(&name), false)
            .doing(|| format!("cannot make the device `{}`", path.display()))?;
        ahead.insert(path.to_owned(), node);
        Ok::<_, Error>(())
    };
    for (name, major, minor) in default_of(devices) {
        add(&Path::new("/dev").join(name), SFlag::S_IFCHR, 0o666, makedev(major, minor), (0, 0))?;
    }
    for device in devices.iter().filter(|device| device.typ() != LinuxDeviceType::P) {
        let number = makedev(device.major() as u64, device.minor() as u64);
        let ids = (device.uid().unwrap_or(0), device.gid().unwrap_or(0));
        add(device.path(), kind_of(device), device.file_mode().unwrap_or(0o666), number, ids)?;
    }
    Ok(ahead)
}

/// The machine's own nodes, for a user who can make none: what they open is what the user may open.
///
/// In a mount namespace of one's own.
pub fn of_host(devices: &[LinuxDevice]) -> Result<Ahead> {
    let mut ahead = Ahead::new();
    let mut add = |path: &Path, node: &Path| {
        let node = clone_tree(AT_FDCWD, node, false)
            .doing(|| format!("cannot mount the machine's device `{}`", node.display()))?;
        ahead.insert(path.to_owned(), node);
        Ok::<_, Error>(())
    };
    for (name, _, _) in default_of(devices) {
        let path = Path::new("/dev").join(name);
        add(&path, &path)?;
    }
    for device in devices.iter().filter(|device| device.typ() != LinuxDeviceType::P) {
        add(device.path(), &node_of_host(device)?)?;
    }
    Ok(ahead)
}

/// The machine's node of a device: the one of the same name, or what udev lists by its number.
fn node_of_host(device: &LinuxDevice) -> Result<PathBuf> {
    let (kind, number) = (kind_of(device), makedev(device.major() as u64, device.minor() as u64));
    let folder = if kind == SFlag::S_IFBLK { "block" } else { "char" };
    let by_number = PathBuf::from(format!("/dev/{folder}/{}:{}", device.major(), device.minor()));
    let listed = std::fs::read_dir("/dev").into_iter().flatten().flatten().map(|entry| entry.path());
    [device.path().clone(), by_number]
        .into_iter()
        .chain(listed)
        .find(|path| stat(path).is_ok_and(|found| is_kind(&found, kind) && found.st_rdev == number))
        .ok_or_else(|| {
            let name = device.path().display();
            Error::unsupported(format!("`{name}` cannot be made without root, and this machine has no such device"))
                .hint("make the device on this machine, or run as root")
        })
}

fn kind_of(device: &LinuxDevice) -> SFlag {
    match device.typ() {
        LinuxDeviceType::B => SFlag::S_IFBLK,
        LinuxDeviceType::P => SFlag::S_IFIFO,
        _ => SFlag::S_IFCHR,
    }
}

/// Mounts a node that was made ahead; tells whether there was one.
fn take(root: &Root, path: &Path, ahead: &mut Ahead) -> Result<bool> {
    let Some(node) = ahead.remove(path) else { return Ok(false) };
    let place = root.open_or_create(path, Missing::File)?;
    attach(&node, &place).doing(|| format!("cannot mount the device `{}`", path.display()))?;
    Ok(true)
}

/// Fills `/dev`. The caller's umask must be 0.
pub fn make(root: &Root, devices: &[LinuxDevice], ahead: &mut Ahead) -> Result<()> {
    let dev = root.open_or_create(Path::new("/dev"), Missing::Directory)?;
    for (name, major, minor) in default_of(devices) {
        if take(root, &Path::new("/dev").join(name), ahead)? {
            continue;
        }
        make_node(dev.as_fd(), Path::new(name), SFlag::S_IFCHR, 0o666, makedev(major, minor), (0, 0))?;
    }
    // A kernel without it leaves the link out, as Docker does.
    let links = LINKS.into_iter().filter(|(target, _)| *target != "/proc/kcore" || Path::new(target).exists());
    for (target, name) in links {
        match symlinkat(target, &dev, name) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(errno).doing(|| format!("cannot make the link `/dev/{name}`")),
        }
    }
    for device in devices {
        let path = device.path();
        if path == Path::new("/dev/ptmx") {
            // That of the container's own terminals is there, as a link.
            continue;
        }
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(Error::invalid(format!("`{}` is not the path of a device", path.display())));
        };
        if take(root, path, ahead)? {
            continue;
        }
        let kind = kind_of(device);
        let number = makedev(device.major() as u64, device.minor() as u64);
        let owner = (device.uid().unwrap_or(0), device.gid().unwrap_or(0));
        let parent = root.open_or_create(parent, Missing::Directory)?;
        make_node(parent.as_fd(), Path::new(name), kind, device.file_mode().unwrap_or(0o666), number, owner)?;
    }
    Ok(())
}

fn make_node(
    dir: BorrowedFd<'_>,
    name: &Path,
    kind: SFlag,
    mode: u32,
    number: u64,
    (uid, gid): (u32, u32),
) -> Result<()> {
    let doing = || format!("cannot make the device `{}`", name.display());
    let mode = Mode::from_bits_truncate(mode);
    match mknodat(dir, name, kind, mode, number) {
        Ok(()) => {}
        // A `/dev` that was mounted from the host has it already; anything else there is a trap.
        Err(Errno::EEXIST) => {
            let stat = fstatat(dir, name, AtFlags::AT_SYMLINK_NOFOLLOW).doing(doing)?;
            if is_kind(&stat, kind) && stat.st_rdev == number {
                return Ok(());
            }
            return Err(Error::invalid(format!("{}: something else is there", doing())));
        }
        Err(errno) => return Err(errno).doing(doing),
    }
    if (uid, gid) != (0, 0) {
        let owner = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
        fchownat(dir, name, owner.0, owner.1, AtFlags::AT_SYMLINK_NOFOLLOW).doing(doing)?;
        fchmodat(dir, name, mode, FchmodatFlags::FollowSymlink).doing(doing)?;
    }
    Ok(())
}
