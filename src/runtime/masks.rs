//! Paths of `/proc` and `/sys` that a container must not see or change.
//!
//! What is mounted and what it is mounted on are both looked at, not believed: by swapping `/dev/null` or a
//! directory for a link, images have made runtimes mount something else (CVE-2025-31133).

use super::rootfs::{Root, is_kind};
use crate::error::{Error, IoContext, Result};
use crate::sys::mount::{FsContext, MountAttrs, attach, clone_tree, set_attributes};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, SFlag, fstat, makedev};
use nix::sys::statfs::{FsType, PROC_SUPER_MAGIC, SYSFS_MAGIC, fstatfs};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// Hides these paths: files behind `/dev/null`, directories behind an empty one.
pub fn hide(root: &Root, paths: &[String]) -> Result<()> {
    if paths.is_empty() {
        return Ok(());
    }
    let null = host_null()?;
    let mut empty: Option<OwnedFd> = None;
    for path in paths {
        let Some(target) = open_target(root, path)? else { continue };
        let doing = || format!("cannot hide `{path}`");
        let cover = if is_kind(&fstat(&target).doing(doing)?, SFlag::S_IFDIR) {
            match &empty {
                // A copy of the first one, which kernels before 6.15 make of attached mounts only.
                Some(first) => clone_tree(first.as_fd(), Path::new(""), false),
                None => empty_directory(),
            }
        } else {
            clone_tree(null.as_fd(), Path::new(""), false)
        };
        let cover = cover.doing(doing)?;
        // It is the host's own node: nobody inside may change its mode or times.
        set_attributes(&cover, MountAttrs::READ_ONLY | MountAttrs::NO_SUID | MountAttrs::NO_EXEC, None, false)
            .doing(doing)?;
        attach(&cover, &target).doing(doing)?;
        if empty.is_none() && is_kind(&fstat(&cover).doing(doing)?, SFlag::S_IFDIR) {
            empty = Some(cover);
        }
    }
    Ok(())
}

/// Makes these paths read-only, with what is mounted below them.
pub fn make_read_only(root: &Root, paths: &[String]) -> Result<()> {
    for path in paths {
        let Some(target) = open_target(root, path)? else { continue };
        let doing = || format!("cannot make `{path}` read-only");
        let tree = clone_tree(target.as_fd(), Path::new(""), true).doing(doing)?;
        set_attributes(&tree, MountAttrs::READ_ONLY, None, true).doing(doing)?;
        attach(&tree, &target).doing(doing)?;
    }
    Ok(())
}

/// `None` when there is no such path on this kernel.
fn open_target(root: &Root, path: &str) -> Result<Option<OwnedFd>> {
    let target = match root.open_without_links(Path::new(path), OFlag::O_PATH) {
        Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(None),
        other => other.doing(|| format!("cannot open `{path}`"))?,
    };
    let expected: Option<FsType> = match path {
        path if path.starts_with("/proc/") => Some(PROC_SUPER_MAGIC),
        path if path.starts_with("/sys/") => Some(SYSFS_MAGIC),
        _ => None,
    };
    if let Some(expected) = expected {
        let found = fstatfs(&target).doing(|| format!("cannot look at `{path}`"))?.filesystem_type();
        if found != expected {
            return Err(Error::invalid(format!("`{path}` is not the kernel's: something is mounted over it"))
                .hint("mount nothing over `/proc` and `/sys`"));
        }
    }
    Ok(Some(target))
}

/// The host's `/dev/null`: the container's could be anything.
fn host_null() -> Result<OwnedFd> {
    let doing = || "cannot open `/dev/null`";
    let null = open("/dev/null", OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC, Mode::empty()).doing(doing)?;
    let stat = fstat(&null).doing(doing)?;
    if is_kind(&stat, SFlag::S_IFCHR) && stat.st_rdev == makedev(1, 3) {
        Ok(null)
    } else {
        Err(Error::invalid("`/dev/null` of this machine is not the null device")
            .hint("make it again: `rm /dev/null && mknod -m 666 /dev/null c 1 3`"))
    }
}

fn empty_directory() -> nix::Result<OwnedFd> {
    let context = FsContext::open(c"tmpfs")?;
    context.set(c"size", c"0")?;
    context.set(c"nr_inodes", c"1")?;
    context.mount(MountAttrs::READ_ONLY | MountAttrs::NO_SUID | MountAttrs::NO_DEV | MountAttrs::NO_EXEC)
}
