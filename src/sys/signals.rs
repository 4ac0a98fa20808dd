//! Signal dispositions and masks of a process that is about to become another program.
#![allow(unsafe_code)]

use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};

/// Every signal does what it does by default, and none is blocked: ignored and blocked ones would stay so
/// across execve(2), and a shell in a container would not die of a broken pipe.
pub fn reset() {
    // The kernel's own `struct sigaction`: SIG_DFL, no flags, no restorer, an empty mask.
    let default = [0u64; 4];
    let no_old = std::ptr::null_mut::<u64>();
    for number in 1..=64 {
        // Not through the C library, which keeps 32 and 33 to itself; what a caller ignored stays ignored then.
        // SAFETY: `default` is as large as the kernel's structure and outlives the call; for signals that
        // cannot be changed the call fails without an effect.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, number, default.as_ptr(), no_old, size_of::<u64>()) };
    }
    // Cannot fail: the set is valid.
    let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None);
}
