//! Loading a system call filter (seccomp(2)).
#![allow(unsafe_code)]

use nix::errno::Errno;

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
    let result = unsafe { libc::syscall(libc::SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &raw const program) };
    Errno::result(result).map(drop)
}
