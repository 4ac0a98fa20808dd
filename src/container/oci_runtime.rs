//! Which program makes a container: this one, or an OCI runtime that is installed.

use crate::error::{Error, Result};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The name that stands for this program's own runtime.
pub const OWN: &str = "shanty";

/// The program of a runtime by its name, looked up in `PATH`, or its path; `None`: this program's own.
///
/// # Errors
/// `not_found` when it is not installed.
pub fn find(name: &str) -> Result<Option<PathBuf>> {
    if name == OWN {
        return Ok(None);
    }
    let is_program = |path: &Path| {
        path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
    };
    let found = if name.contains('/') {
        Some(PathBuf::from(name)).filter(|path| path.is_absolute() && is_program(path))
    } else {
        let path = std::env::var_os("PATH").unwrap_or_default();
        // Where distributions put runtimes, which the PATH of ordinary users and of cron leaves out.
        let also = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
        std::env::split_paths(&path).chain(also).map(|folder| folder.join(name)).find(|path| is_program(path))
    };
    found.map(Some).ok_or_else(|| {
        Error::not_found(format!("the runtime `{name}` is not installed"))
            .hint("install it, or leave `runtime` out: `shanty` needs no other program")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_by_name_and_by_path() {
        assert_eq!(find("shanty").unwrap(), None);
        assert!(find("sh").unwrap().unwrap().ends_with("sh"));
        assert_eq!(find("/bin/sh").unwrap(), Some("/bin/sh".into()));
        for missing in ["no-such-runtime", "/no/such/runtime", "/etc", "./sh", ""] {
            assert!(find(missing).unwrap_err().is(crate::error::ErrorKind::NotFound), "{missing}");
        }
    }
}
