//! The NIS domain name of this UTS namespace (setdomainname(2)).
#![allow(unsafe_code)]

use nix::errno::Errno;

/// Sets it.
pub fn set(name: &str) -> nix::Result<()> {
    // SAFETY: pointer and length describe `name`, which the kernel reads during the call.
    Errno::result(unsafe { libc::setdomainname(name.as_ptr().cast(), name.len()) }).map(drop)
}
