//! Network parameters of the kernel, of the thread's network namespace.

use crate::error::{IoContext, Result};
use std::fs;
use std::io;
use std::path::Path;

/// Sets a parameter, such as `ipv4/ip_forward`. Writes only when it differs, since `/proc/sys` may be
/// read-only where somebody has prepared the host for us.
pub fn set(name: &str, value: &str) -> Result<()> {
    let path = Path::new("/proc/sys/net").join(name);
    let doing = || format!("cannot set `net/{name}` to {value}");
    if fs::read_to_string(&path).doing(doing)?.trim() == value {
        return Ok(());
    }
    fs::write(&path, value).doing(doing)
}

/// The same for a parameter of a part that the kernel may lack.
pub fn set_if_present(name: &str, value: &str) -> Result<()> {
    match fs::exists(Path::new("/proc/sys/net").join(name)) {
        Ok(true) => set(name, value),
        Ok(false) => Ok(()),
        Err(error) => Err::<(), io::Error>(error).doing(|| format!("cannot look for `net/{name}`")),
    }
}

/// Has the host forward IPv6.
///
/// A host that forwards ignores router advertisements unless it is told not to (`accept_ra` 2, ip-sysctl.rst): a link
/// that got its default route by them would lose it.
pub fn forward_ipv6() -> Result<()> {
    const FOLDER: &str = "/proc/sys/net/ipv6/conf";
    const FORWARDING: &str = "ipv6/conf/all/forwarding";
    if fs::read_to_string(Path::new("/proc/sys/net").join(FORWARDING)).is_ok_and(|value| value.trim() == "1") {
        return Ok(());
    }
    let links = fs::read_dir(FOLDER).doing(|| format!("cannot list `{FOLDER}`"))?;
    for link in links.flatten() {
        let path = link.path().join("accept_ra");
        if fs::read_to_string(&path).is_ok_and(|value| value.trim() == "1") {
            fs::write(&path, "2").doing(|| format!("cannot write `{}`", path.display()))?;
        }
    }
    set(FORWARDING, "1")
}
