//! EROFS file systems that lie in two files: an index, and the data that it points into (Linux 6.12 and later).

use super::mount::{FsContext, MountAttrs, c_path};
use nix::errno::Errno;
use std::os::fd::OwnedFd;
use std::path::Path;

/// Mounts it, attached nowhere: read-only, and neither devices nor set-user-id bits of it count, except through an
/// overlay.
///
/// # Errors
/// `ENODEV` where the kernel has no EROFS, `ENOTBLK` where it takes block devices only; with what the kernel said.
pub fn mount(index: &Path, data: &Path) -> Result<OwnedFd, (Errno, String)> {
    let context = FsContext::open(c"erofs").map_err(|errno| (errno, String::new()))?;
    let mount = || {
        context.set(c"source", &c_path(index)?)?;
        context.set(c"device", &c_path(data)?)?;
        context.mount(MountAttrs::READ_ONLY | MountAttrs::NO_DEV | MountAttrs::NO_SUID)
    };
    mount().map_err(|errno| (errno, context.message()))
}
