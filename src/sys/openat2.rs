//! Paths resolved inside a folder that an image controls: `openat2(2)` with `RESOLVE_IN_ROOT`.

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::stat::Mode;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// How often to try again when the kernel cannot tell, because something was renamed meanwhile,
/// whether a `..` in a link stayed inside.
const RETRIES: usize = 64;

/// Opens `path` as if `root` were `/`: absolute links start there, and `..` stops there. Links of
/// `/proc` that jump elsewhere are refused, and so are other file systems mounted below.
pub fn open_in_root(root: impl AsFd, path: &[u8], flags: OFlag) -> io::Result<OwnedFd> {
    open_in_root_with_mode(root, path, flags, Mode::empty())
}

/// The same, with the mode of a file that `flags` may create.
pub fn open_in_root_with_mode(root: impl AsFd, path: &[u8], flags: OFlag, mode: Mode) -> io::Result<OwnedFd> {
    let how = OpenHow::new()
        .flags(flags | OFlag::O_CLOEXEC)
        .mode(mode)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS | ResolveFlag::RESOLVE_NO_XDEV);
    let path = if path.is_empty() { Path::new(".") } else { Path::new(std::ffi::OsStr::from_bytes(path)) };
    let mut tries = 0;
    loop {
        match openat2(root.as_fd(), path, how) {
            Err(Errno::EAGAIN) if tries < RETRIES => tries += 1,
            Err(Errno::EINTR) => {}
            other => return Ok(other?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::os::unix::fs::symlink;

    #[test]
    fn links_that_lead_out_are_taken_inside() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("etc")).unwrap();
        fs::write(dir.path().join("etc/marker"), "inside").unwrap();
        symlink("/etc", dir.path().join("absolute")).unwrap();
        symlink("../../../../../etc", dir.path().join("dots")).unwrap();
        symlink("/proc/self/cwd", dir.path().join("magic")).unwrap();
        let root = File::open(dir.path()).unwrap();
        for path in ["absolute/marker", "dots/marker", "/etc/marker", "../../etc/marker"] {
            let file = open_in_root(&root, path.as_bytes(), OFlag::O_RDONLY).unwrap();
            assert_eq!(io::read_to_string(File::from(file)).unwrap(), "inside", "{path}");
        }
        assert!(open_in_root(&root, b"absolute/passwd", OFlag::O_RDONLY).is_err());
        assert!(open_in_root(&root, b"magic/Cargo.toml", OFlag::O_RDONLY).is_err());
    }
}
