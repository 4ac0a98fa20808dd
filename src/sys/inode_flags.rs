//! Inode flags, as `chattr(1)` sets them.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

/// `FS_TOPDIR_FL` of `linux/fs.h`, `chattr +T`: the folder's children are unrelated trees, which
/// ext4's Orlov allocator spreads over the disk.
const FS_TOPDIR_FL: libc::c_int = 0x0002_0000;

mod request {
    #![allow(missing_docs)] // the macros write functions without
    nix::ioctl_read!(get_flags, b'f', 1, libc::c_long);
    nix::ioctl_write_ptr!(set_flags, b'f', 2, libc::c_long);
}

/// Sets the top-directory flag of a folder. Fails with `ENOTTY` or `EOPNOTSUPP` where the file
/// system has none.
pub fn set_top_directory(path: &Path) -> io::Result<()> {
    let folder = File::open(path)?;
    // The kernel reads and writes an int although the request is declared with a long.
    let mut flags: libc::c_long = 0;
    // SAFETY: the descriptor is open and `flags` outlives the call and has room for what is written.
    unsafe { request::get_flags(folder.as_raw_fd(), &raw mut flags) }?;
    flags |= libc::c_long::from(FS_TOPDIR_FL);
    // SAFETY: as above; the kernel only reads.
    unsafe { request::set_flags(folder.as_raw_fd(), &raw const flags) }?;
    Ok(())
}
