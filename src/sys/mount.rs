//! The mount API that works on descriptors (fsopen(2), fsmount(2), open_tree(2), move_mount(2),
//! mount_setattr(2)), and pivot_root(2).
//!
//! No path that a hostile image controls is resolved here: targets are descriptors.
#![allow(unsafe_code)]

use nix::errno::Errno;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;

bitflags::bitflags! {
    /// What a mount does not allow (`MOUNT_ATTR_*`).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct MountAttrs: u64 {
        /// Nothing is written through it.
        const READ_ONLY = 0x1;
        /// Set-user-id bits and file capabilities have no effect.
        const NO_SUID = 0x2;
        /// Device nodes cannot be opened.
        const NO_DEV = 0x4;
        /// Nothing is executed from it.
        const NO_EXEC = 0x8;
        /// Access times are never updated.
        const NO_ATIME = 0x10;
        /// Access times are always updated.
        const STRICT_ATIME = 0x20;
        /// Access times of directories are not updated.
        const NO_DIR_ATIME = 0x80;
        /// Links are not followed.
        const NO_SYM_FOLLOW = 0x20_0000;
    }
}

/// How mount events spread between namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// Not at all.
    Private,
    /// From the host into the container.
    Slave,
    /// Both ways.
    Shared,
    /// Not at all, and it cannot be bound elsewhere.
    Unbindable,
}

const FSOPEN_CLOEXEC: u32 = 1;
const FSMOUNT_CLOEXEC: u32 = 1;
const FSCONFIG_SET_FLAG: u32 = 0;
const FSCONFIG_SET_STRING: u32 = 1;
const FSCONFIG_CMD_CREATE: u32 = 6;
const OPEN_TREE_CLONE: u32 = 1;
const OPEN_TREE_CLOEXEC: u32 = libc::O_CLOEXEC as u32;
const MOVE_MOUNT_F_EMPTY_PATH: u32 = 0x4;
const MOVE_MOUNT_T_EMPTY_PATH: u32 = 0x40;

/// A file system that is being configured.
pub struct FsContext(OwnedFd);

impl FsContext {
    /// Starts with a file system type such as `overlay`.
    pub fn open(kind: &CStr) -> nix::Result<Self> {
        // SAFETY: `kind` is a NUL-terminated string that outlives the call.
        let fd = unsafe { libc::syscall(libc::SYS_fsopen, kind.as_ptr(), FSOPEN_CLOEXEC) };
        owned(fd).map(Self)
    }

    /// Sets an option with a value.
    pub fn set(&self, key: &CStr, value: &CStr) -> nix::Result<()> {
        self.config(FSCONFIG_SET_STRING, Some(key), Some(value))
    }

    /// Sets an option that has no value.
    pub fn set_flag(&self, key: &CStr) -> nix::Result<()> {
        self.config(FSCONFIG_SET_FLAG, Some(key), None)
    }

    /// Makes the file system and a mount of it that is attached nowhere.
    pub fn mount(&self, attrs: MountAttrs) -> nix::Result<OwnedFd> {
        self.config(FSCONFIG_CMD_CREATE, None, None)?;
        // SAFETY: no memory is passed.
        let fd = unsafe { libc::syscall(libc::SYS_fsmount, self.0.as_raw_fd(), FSMOUNT_CLOEXEC, attrs.bits()) };
        owned(fd)
    }

    /// What the kernel said about the last failure, such as `overlay: …`; empty when nothing.
    pub fn message(&self) -> String {
        let mut buffer = [0u8; 512];
        match nix::unistd::read(&self.0, &mut buffer) {
            // Each message starts with a letter for its level and a space.
            Ok(length) => String::from_utf8_lossy(buffer.get(2..length).unwrap_or_default()).trim().to_owned(),
            Err(_) => String::new(),
        }
    }

    fn config(&self, command: u32, key: Option<&CStr>, value: Option<&CStr>) -> nix::Result<()> {
        let pointer = |text: Option<&CStr>| text.map_or(std::ptr::null(), CStr::as_ptr);
        // SAFETY: both strings are NUL-terminated or null, as each command wants them, and outlive the call.
        let result =
            unsafe { libc::syscall(libc::SYS_fsconfig, self.0.as_raw_fd(), command, pointer(key), pointer(value), 0) };
        Errno::result(result).map(drop)
    }
}

/// A copy of the mount at `path` below `dir`, attached nowhere; with all mounts below it when `recursive`.
/// An empty path means what `dir` refers to.
pub fn clone_tree(dir: BorrowedFd<'_>, path: &Path, recursive: bool) -> nix::Result<OwnedFd> {
    let path = c_path(path)?;
    let mut flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
    if recursive {
        flags |= libc::AT_RECURSIVE as u32;
    }
    if path.is_empty() {
        flags |= libc::AT_EMPTY_PATH as u32;
    }
    // SAFETY: `path` is NUL-terminated and outlives the call.
    owned(unsafe { libc::syscall(libc::SYS_open_tree, dir.as_raw_fd(), path.as_ptr(), flags) })
}

/// Attaches a mount on exactly what `target` refers to.
pub fn attach(mount: impl AsFd, target: impl AsFd) -> nix::Result<()> {
    let (mount, target) = (mount.as_fd().as_raw_fd(), target.as_fd().as_raw_fd());
    let flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
    // SAFETY: both paths are empty NUL-terminated strings.
    let result = unsafe { libc::syscall(libc::SYS_move_mount, mount, c"".as_ptr(), target, c"".as_ptr(), flags) };
    Errno::result(result).map(drop)
}

/// Changes the attributes of a mount, and of those below it when `recursive`.
pub fn set_attributes(
    mount: impl AsFd,
    set: MountAttrs,
    propagation: Option<Propagation>,
    recursive: bool,
) -> nix::Result<()> {
    set_attributes_at(mount.as_fd().as_raw_fd(), c"", set, propagation, recursive)
}

/// Maps the owners of all files in a mount that is attached nowhere as a user namespace does, with those below it when
/// `recursive`.
pub fn set_id_map(mount: impl AsFd, user_namespace: BorrowedFd<'_>, recursive: bool) -> nix::Result<()> {
    let attr = MountAttr {
        attr_set: libc::MOUNT_ATTR_IDMAP,
        userns_fd: user_namespace.as_raw_fd().cast_unsigned().into(),
        ..MountAttr::default()
    };
    mount_setattr(mount.as_fd().as_raw_fd(), c"", &attr, recursive)
}

/// Cuts the whole mount namespace off from the one it was copied from.
pub fn make_root_private() -> nix::Result<()> {
    set_attributes_at(libc::AT_FDCWD, c"/", MountAttrs::empty(), Some(Propagation::Private), true)
}

fn set_attributes_at(
    dir: RawFd,
    path: &CStr,
    set: MountAttrs,
    propagation: Option<Propagation>,
    recursive: bool,
) -> nix::Result<()> {
    // The access time modes are one field of the kernel: it is cleared before one of them is set.
    let atime = MountAttrs::NO_ATIME | MountAttrs::STRICT_ATIME;
    let attr = MountAttr {
        attr_set: set.bits(),
        attr_clr: if set.intersects(atime) { 0x70 } else { 0 },
        propagation: match propagation {
            None => 0,
            Some(Propagation::Private) => libc::MS_PRIVATE,
            Some(Propagation::Slave) => libc::MS_SLAVE,
            Some(Propagation::Shared) => libc::MS_SHARED,
            Some(Propagation::Unbindable) => libc::MS_UNBINDABLE,
        },
        userns_fd: 0,
    };
    mount_setattr(dir, path, &attr, recursive)
}

/// `struct mount_attr` of mount_setattr(2), its first version.
#[repr(C)]
#[derive(Default)]
struct MountAttr {
    attr_set: u64,
    attr_clr: u64,
    propagation: u64,
    userns_fd: u64,
}

fn mount_setattr(dir: RawFd, path: &CStr, attr: &MountAttr, recursive: bool) -> nix::Result<()> {
    let mut flags = if path.is_empty() { libc::AT_EMPTY_PATH } else { 0 };
    if recursive {
        flags |= libc::AT_RECURSIVE;
    }
    // SAFETY: `path` is NUL-terminated; `attr` has the size that is given and outlives the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            dir,
            path.as_ptr(),
            flags,
            std::ptr::from_ref(attr),
            size_of::<MountAttr>(),
        )
    };
    Errno::result(result).map(drop)
}

/// Makes the working directory, a mount point, the root, and lets go of the old root.
pub fn pivot_into_working_directory() -> nix::Result<()> {
    // `pivot_root(".", ".")` stacks the old root over the new one (pivot_root(2)), so that no
    // directory inside is needed for it.
    nix::unistd::pivot_root(c".", c".")?;
    nix::mount::umount2(c".", nix::mount::MntFlags::MNT_DETACH)?;
    nix::unistd::chdir(c"/")
}

/// A path as the kernel takes it; fails with `EINVAL` when it holds a NUL.
pub fn c_path(path: &Path) -> nix::Result<CString> {
    use std::os::unix::ffi::OsStrExt;
    CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::EINVAL)
}

fn owned(result: libc::c_long) -> nix::Result<OwnedFd> {
    let fd = Errno::result(result)?;
    // SAFETY: the kernel has just made this descriptor, and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}
