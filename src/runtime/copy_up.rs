//! A new file system with what was there before (`tmpcopyup`): owners, modes and links are kept.

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, readlinkat};
use nix::sys::stat::{FchmodatFlags, FileStat, Mode, SFlag, fchmodat, fstat, fstatat, mkdirat, mknodat};
use nix::unistd::{Gid, Uid, fchownat, symlinkat};
use std::ffi::CStr;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Deeper trees are not for a file system in memory.
const DEEPEST: usize = 64;

/// Copies what the directory `from` holds into the directory `to`. No link is followed.
pub fn copy(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> nix::Result<()> {
    copy_directory(from, to, 0)
}

fn copy_directory(from: BorrowedFd<'_>, to: BorrowedFd<'_>, depth: usize) -> nix::Result<()> {
    if depth > DEEPEST {
        return Err(Errno::ELOOP);
    }
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut listing = Dir::openat(from, ".", flags, Mode::empty())?;
    for entry in listing.iter() {
        let entry = entry?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            copy_entry(from, to, name, depth)?;
        }
    }
    Ok(())
}

fn copy_entry(from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &CStr, depth: usize) -> nix::Result<()> {
    let stat = fstatat(from, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
    let kind = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT;
    let mode = Mode::from_bits_truncate(stat.st_mode & 0o7777);
    let open = |dir, flags| openat(dir, name, flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC, Mode::empty());
    match kind {
        SFlag::S_IFDIR => {
            mkdirat(to, name, mode)?;
            let (below, copy): (OwnedFd, OwnedFd) = (open(from, OFlag::O_RDONLY)?, open(to, OFlag::O_RDONLY)?);
            copy_directory(below.as_fd(), copy.as_fd(), depth + 1)?;
        }
        SFlag::S_IFREG => {
            // Looked at again when it is open: it must not have become a pipe to wait at.
            let source = open(from, OFlag::O_RDONLY | OFlag::O_NONBLOCK)?;
            if SFlag::from_bits_truncate(fstat(&source)?.st_mode) & SFlag::S_IFMT != SFlag::S_IFREG {
                return Err(Errno::EINVAL);
            }
            let create = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
            let target = openat(to, name, create, mode)?;
            let copied = std::io::copy(&mut File::from(source), &mut File::from(target));
            copied.map_err(|error| error.raw_os_error().map_or(Errno::EIO, Errno::from_raw))?;
        }
        SFlag::S_IFLNK => symlinkat(readlinkat(from, name)?.as_os_str(), to, name)?,
        kind => mknodat(to, name, kind, mode, stat.st_rdev)?,
    }
    keep_owner(to, name, &stat, kind == SFlag::S_IFLNK)
}

fn keep_owner(to: BorrowedFd<'_>, name: &CStr, stat: &FileStat, is_link: bool) -> nix::Result<()> {
    let (uid, gid) = (Some(Uid::from_raw(stat.st_uid)), Some(Gid::from_raw(stat.st_gid)));
    fchownat(to, name, uid, gid, AtFlags::AT_SYMLINK_NOFOLLOW)?;
    if is_link {
        return Ok(());
    }
    // After the owner: a change of that takes set-user-id bits away.
    fchmodat(to, name, Mode::from_bits_truncate(stat.st_mode & 0o7777), FchmodatFlags::FollowSymlink)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn files_links_and_modes_are_copied_and_no_link_is_followed() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::create_dir(from.path().join("dir")).unwrap();
        std::fs::write(from.path().join("dir/file"), "content").unwrap();
        let mode = std::fs::Permissions::from_mode(0o4751);
        std::fs::set_permissions(from.path().join("dir/file"), mode).unwrap();
        symlink("/etc/passwd", from.path().join("link")).unwrap();
        copy(File::open(from.path()).unwrap().as_fd(), File::open(to.path()).unwrap().as_fd()).unwrap();
        assert_eq!(std::fs::read_to_string(to.path().join("dir/file")).unwrap(), "content");
        assert_eq!(to.path().join("dir/file").metadata().unwrap().permissions().mode() & 0o7777, 0o4751);
        assert_eq!(std::fs::read_link(to.path().join("link")).unwrap(), std::path::Path::new("/etc/passwd"));
    }
}
