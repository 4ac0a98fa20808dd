//! Capability sets of this thread (capabilities(7)) as bit sets, one system call each.
#![allow(unsafe_code)]

use nix::errno::Errno;

/// The highest capability that this binary knows: `CAP_CHECKPOINT_RESTORE`.
pub const LAST: u8 = 40;

/// A set of capabilities; bit N is capability N.
pub type CapSet = u64;

/// Sets the effective, permitted and inheritable sets.
pub fn set(effective: CapSet, permitted: CapSet, inheritable: CapSet) -> nix::Result<()> {
    /// `struct __user_cap_header_struct` of capset(2).
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    const VERSION_3: u32 = 0x2008_0522;
    let header = Header { version: VERSION_3, pid: 0 };
    let low = |set: CapSet| (set & 0xffff_ffff) as u32;
    let high = |set: CapSet| (set >> 32) as u32;
    let data =
        [[low(effective), low(permitted), low(inheritable)], [high(effective), high(permitted), high(inheritable)]];
    // SAFETY: version 3 takes a header and two triples of 32 bits; both outlive the call.
    Errno::result(unsafe { libc::syscall(libc::SYS_capset, &raw const header, &raw const data) }).map(drop)
}

/// Whether a capability can still be gained; `None` when this kernel does not know it.
pub fn in_bounding(capability: u8) -> Option<bool> {
    match prctl(libc::PR_CAPBSET_READ, u64::from(capability), 0) {
        Ok(0) => Some(false),
        Ok(_) => Some(true),
        Err(_) => None,
    }
}

/// Takes a capability out of the bounding set for good.
pub fn drop_bounding(capability: u8) -> nix::Result<()> {
    prctl(libc::PR_CAPBSET_DROP, u64::from(capability), 0).map(drop)
}

/// Empties the ambient set.
pub fn clear_ambient() -> nix::Result<()> {
    prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL as u64, 0).map(drop)
}

/// Adds a capability to the ambient set; it must be permitted and inheritable.
pub fn raise_ambient(capability: u8) -> nix::Result<()> {
    prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE as u64, u64::from(capability)).map(drop)
}

fn prctl(option: i32, second: u64, third: u64) -> nix::Result<i32> {
    // SAFETY: these options take numbers only.
    Errno::result(unsafe { libc::prctl(option, second, third, 0u64, 0u64) })
}
