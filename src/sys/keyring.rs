//! Session keyrings (keyctl(2)).
#![allow(unsafe_code)]

use nix::errno::Errno;

/// Gives this process a new session keyring, so that the keys of the host's session stay there.
pub fn join_new_session() -> nix::Result<()> {
    const KEYCTL_JOIN_SESSION_KEYRING: i32 = 1;
    let anonymous = std::ptr::null::<libc::c_char>();
    // SAFETY: a null name asks for an anonymous keyring.
    Errno::result(unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, anonymous) }).map(drop)
}
