//! Our own binary as monitors execute it: so that no container can write to it.
//!
//! A process on its way into a container is still this binary, and `/proc/PID/exe` leads to it
//! (CVE-2019-5736). It is therefore executed from a read-only overlay of its directory, which nobody can
//! make writable, or where that cannot be mounted, from a sealed copy in memory.

use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::runtime::overlay::Overlay;
use crate::sys::mount::MountAttrs;
use nix::fcntl::{FcntlArg, OFlag, SealFlag, fcntl, openat};
use nix::sched::{CloneFlags, unshare};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::stat::Mode;
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

/// What to execute as a monitor instead of `/proc/self/exe`: for programs that embed this crate.
/// Has an effect before the first launch only.
pub fn set_program(path: PathBuf) {
    // A second call loses: monitors of one process are all the same program.
    let _ = PROGRAM.set(path);
}

static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// The protected binary, open.
pub struct Program(OwnedFd);

impl Program {
    /// Names it for an exec by this process or a child that has its descriptors.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.0.as_raw_fd()))
    }
}

/// The protected binary; made at the first call. `beside` is any directory without a subdirectory that
/// has the binary's name: an overlay needs two.
pub fn protected(beside: &Path) -> Result<&'static Program> {
    static READY: OnceLock<Program> = OnceLock::new();
    static MAKING: Mutex<()> = Mutex::new(());
    if let Some(ready) = READY.get() {
        return Ok(ready);
    }
    let _one_at_a_time = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(ready) = READY.get() {
        return Ok(ready);
    }
    let program = match PROGRAM.get() {
        Some(path) => path.clone(),
        None => std::env::current_exe().doing(|| "cannot find this program")?,
    };
    let fd = match from_overlay(&program, beside) {
        Some(fd) => fd,
        None => sealed_copy(&program).doing(|| format!("cannot copy `{}`", program.display()))?,
    };
    // Nobody else can have set it: we hold the lock.
    Ok(READY.get_or_init(|| Program(fd)))
}

/// `None` where it cannot be mounted: an old kernel, too many overlays below each other.
fn from_overlay(program: &Path, beside: &Path) -> Option<OwnedFd> {
    let (dir, name) = (program.parent()?, program.file_name()?);
    let overlay = Overlay { lower: &[dir.to_owned(), beside.to_owned()], upper: None, volatile: false };
    let mount = overlay.mount(MountAttrs::READ_ONLY, None).or_else(|_| in_own_namespace(&overlay)).ok()?;
    openat(&mount, name, OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC, Mode::empty()).ok()
}

/// Ordinary users mount nothing in the machine's mount namespace; in one of a thread's own they do.
fn in_own_namespace(overlay: &Overlay<'_>) -> Result<OwnedFd> {
    let mount = || {
        unshare(CloneFlags::CLONE_NEWNS).doing(|| "cannot make a mount namespace")?;
        overlay.mount(MountAttrs::READ_ONLY, None)
    };
    std::thread::scope(|scope| scope.spawn(mount).join())
        .unwrap_or_else(|_| Err(Error::new(ErrorKind::Io, "a thread ended early")))
}

fn sealed_copy(program: &Path) -> std::io::Result<OwnedFd> {
    let copy = memfd_create(c"shanty", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
    let mut target = File::from(copy);
    std::io::copy(&mut File::open(program)?, &mut target)?;
    let seals = SealFlag::F_SEAL_SEAL | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_WRITE;
    fcntl(&target, FcntlArg::F_ADD_SEALS(seals))?;
    Ok(target.into())
}
