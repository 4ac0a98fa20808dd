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
