//! What the program reads when that was given with the container.

use crate::error::{IoContext, Result};
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

/// A copy in memory of what is in the file, to be read from its beginning: at each start, also after a restart. Nothing of
/// the host's files is open in the container, and nobody in there can change what the next start reads.
pub fn open(path: &Path) -> Result<OwnedFd> {
    let doing = || format!("cannot read `{}`", path.display());
    let copy = memfd_create(c"stdin", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING).doing(doing)?;
    let mut copy = File::from(copy);
    std::io::copy(&mut File::open(path).doing(doing)?, &mut copy).doing(doing)?;
    let seals = SealFlag::F_SEAL_SEAL | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_WRITE;
    fcntl(&copy, FcntlArg::F_ADD_SEALS(seals)).doing(doing)?;
    Ok(File::open(format!("/proc/self/fd/{}", copy.as_raw_fd())).doing(doing)?.into())
}
