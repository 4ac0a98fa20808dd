//! Signal dispositions and masks of a process that is about to become another program.
#![allow(unsafe_code)]

use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};

/// Every signal does what it does by default, and none is blocked: ignored and blocked ones would stay so
/// across execve(2), and a shell in a container would not die of a broken pipe.
pub fn reset() {
    for number in 1..=64 {
        // SAFETY: SIG_DFL is valid for every signal; for those that cannot be changed the call fails
        // without an effect.
        unsafe { libc::signal(number, libc::SIG_DFL) };
    }
    // Cannot fail: the set is valid.
    let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None);
}
