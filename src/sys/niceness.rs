//! Standing back while others work.
#![allow(unsafe_code)]

/// Gives the calling thread the lowest ordinary priority: for clean-up that should not slow down what somebody waits
/// for. Cannot be taken back without privileges.
pub fn lowest() {
    // SAFETY: the call takes numbers only; 0 means the calling thread (setpriority(2), "C library/kernel differences").
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 19) };
}
