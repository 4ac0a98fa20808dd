//! Owners of files, those too that this process cannot give away: they are recorded beside the file, in an extended
//! attribute, and the file stays its own.
//!
//! The kernel takes no number that a user namespace does not have. Symbolic links and nodes can have no such attribute
//! (xattr(7)): they stay ours without a record.

use super::xattr;
use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::unistd::{Gid, Uid, fchown, fchownat};
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd};

/// Where an owner is recorded: `uid:gid`.
pub const ATTRIBUTE: &CStr = c"user.shanty.owner";

/// Gives `name` in `folder` to somebody; a link is not followed.
pub fn give_at(folder: impl AsFd, name: &[u8], (uid, gid): (u32, u32)) -> nix::Result<()> {
    let folder = folder.as_fd();
    match fchownat(folder, name, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)), AtFlags::AT_SYMLINK_NOFOLLOW) {
        Err(Errno::EINVAL) => {
            let name = CString::new(name).map_err(|_| Errno::EINVAL)?;
            record_by(|value| xattr::set_at(folder, &name, ATTRIBUTE, value), (uid, gid))
        }
        other => other,
    }
}

/// The same for what is open.
pub fn give(file: impl AsFd, (uid, gid): (u32, u32)) -> nix::Result<()> {
    let file: BorrowedFd<'_> = file.as_fd();
    match fchown(file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid))) {
        Err(Errno::EINVAL) => record(file, (uid, gid)),
        other => other,
    }
}

/// Records an owner beside a file, which stays whose it is.
pub fn record(file: impl AsFd, owner: (u32, u32)) -> nix::Result<()> {
    record_by(|value| xattr::set_open(file.as_fd(), ATTRIBUTE, value), owner)
}

fn record_by(set: impl FnOnce(&[u8]) -> std::io::Result<()>, (uid, gid): (u32, u32)) -> nix::Result<()> {
    match set(format!("{uid}:{gid}").as_bytes()) {
        // Of a link or a node, or on a file system without attributes.
        Err(error) if xattr::is_unsupported(&error) || error.raw_os_error() == Some(libc::EPERM) => Ok(()),
        Err(error) => Err(error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)),
        Ok(()) => Ok(()),
    }
}

/// The owner that is recorded among a file's attributes.
pub fn recorded(attributes: &[(CString, Vec<u8>)]) -> Option<(u32, u32)> {
    let (_, value) = attributes.iter().find(|(name, _)| name.as_c_str() == ATTRIBUTE)?;
    let (uid, gid) = std::str::from_utf8(value).ok()?.split_once(':')?;
    Some((uid.parse().ok()?, gid.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_that_cannot_be_is_recorded_and_read_again() {
        let folder = tempfile::tempdir_in("/var/tmp").unwrap();
        std::fs::write(folder.path().join("file"), "").unwrap();
        let open = std::fs::File::open(folder.path()).unwrap();
        record_by(|value| xattr::set_at(open.as_fd(), c"file", ATTRIBUTE, value), (33, 34)).unwrap();
        assert_eq!(recorded(&xattr::list(&folder.path().join("file")).unwrap()), Some((33, 34)));
        for bad in [&b"33"[..], b"33:", b"x:1", b"1:2:3", b"\xff"] {
            assert_eq!(recorded(&[(ATTRIBUTE.to_owned(), bad.to_vec())]), None);
        }
    }
}
