//! Loading a system call filter (seccomp(2)).
#![allow(unsafe_code)]

use nix::errno::Errno;
use std::os::fd::{FromRawFd, OwnedFd};

bitflags::bitflags! {
    /// How a filter is loaded.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct FilterFlags: u32 {
        /// Everything but what is allowed is written to the kernel's log (`SECCOMP_FILTER_FLAG_LOG`).
        const LOG = 2;
        /// Leaves speculation as it is (`SECCOMP_FILTER_FLAG_SPEC_ALLOW`).
        const SPEC_ALLOW = 4;
    }
}

/// One instruction of classic BPF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Instruction {
    /// What it does.
    pub code: u16,
    /// How many instructions to skip when a comparison holds.
    pub jt: u8,
    /// How many to skip when it does not.
    pub jf: u8,
    /// Its operand.
    pub k: u32,
}

/// Filters all later system calls of this thread and its children. Needs `no_new_privs` or
/// `CAP_SYS_ADMIN`.
pub fn load(program: &[Instruction]) -> nix::Result<()> {
    load_with(program, FilterFlags::empty())
}

/// The same, with flags.
pub fn load_with(program: &[Instruction], flags: FilterFlags) -> nix::Result<()> {
    set_filter(program, flags.bits()).map(drop)
}

/// The same for a filter that asks somebody about calls (`SECCOMP_RET_USER_NOTIF`): gives the descriptor for
/// [`super::seccomp_notify`]. Without it such calls are `ENOSYS`.
pub fn load_asking(program: &[Instruction]) -> nix::Result<OwnedFd> {
    const SECCOMP_FILTER_FLAG_NEW_LISTENER: u32 = 8;
    let listener = set_filter(program, SECCOMP_FILTER_FLAG_NEW_LISTENER)?;
    // SAFETY: with this flag the result is a new descriptor, owned by nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(listener) })
}

fn set_filter(program: &[Instruction], flags: u32) -> nix::Result<i32> {
    /// `struct sock_fprog` of seccomp(2).
    #[repr(C)]
    struct Program {
        length: u16,
        instructions: *const Instruction,
    }
    const SECCOMP_SET_MODE_FILTER: u32 = 1;
    let length = u16::try_from(program.len()).map_err(|_| Errno::EINVAL)?;
    let program = Program { length, instructions: program.as_ptr() };
    // SAFETY: pointer and length describe `program`, which outlives the call; `Instruction` has the
    // layout of `struct sock_filter`.
    let result = unsafe { libc::syscall(libc::SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &raw const program) };
    Errno::result(result).map(|result| result as i32)
}
