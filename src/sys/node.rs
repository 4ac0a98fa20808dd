//! Files held by descriptor (`O_PATH`): looked at, read and listed without naming them a second time, so that nobody
//! can put another one in their place meanwhile. Only regular files and folders are ever opened: opening a device or
//! a pipe does something, or waits.

use super::xattr;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};
use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// A file of any kind.
#[derive(Debug)]
pub struct Node {
    fd: OwnedFd,
    stat: FileStat,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Symlink,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
}

/// Flags of an open that looks and does nothing.
pub const LOOK: OFlag = OFlag::O_PATH.union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

impl Node {
    /// What has this name, one component, in a folder. A link is itself.
    pub fn at(folder: impl AsFd, name: &[u8]) -> nix::Result<Self> {
        Self::of(openat(folder, OsStr::from_bytes(name), LOOK, Mode::empty())?)
    }

    /// What a descriptor refers to.
    pub fn of(fd: OwnedFd) -> nix::Result<Self> {
        let stat = fstat(&fd)?;
        Ok(Self { fd, stat })
    }

    /// What it is.
    pub fn kind(&self) -> NodeKind {
        match SFlag::from_bits_truncate(self.stat.st_mode) & SFlag::S_IFMT {
            SFlag::S_IFREG => NodeKind::File,
            SFlag::S_IFDIR => NodeKind::Folder,
            SFlag::S_IFLNK => NodeKind::Symlink,
            SFlag::S_IFCHR => NodeKind::CharDevice,
            SFlag::S_IFBLK => NodeKind::BlockDevice,
            SFlag::S_IFIFO => NodeKind::Fifo,
            _ => NodeKind::Socket,
        }
    }

    /// Its owner, mode, size and times when it was found.
    pub fn stat(&self) -> &FileStat {
        &self.stat
    }

    /// Permission bits with setuid, setgid and sticky.
    pub fn mode(&self) -> u32 {
        self.stat.st_mode & 0o7777
    }

    /// Which file it is on this machine: device and inode.
    pub fn key(&self) -> (u64, u64) {
        (self.stat.st_dev, self.stat.st_ino)
    }

    /// Whether it hides what lower layers have, as overlayfs has it: a character device 0/0.
    pub fn is_whiteout(&self) -> bool {
        self.kind() == NodeKind::CharDevice && self.stat.st_rdev == 0
    }

    /// The text of a symbolic link.
    pub fn link_target(&self) -> nix::Result<Vec<u8>> {
        Ok(readlinkat(&self.fd, "")?.into_vec())
    }

    /// Opens a regular file; `EINVAL` for anything else.
    pub fn open_file(&self, flags: OFlag) -> nix::Result<File> {
        if self.kind() != NodeKind::File {
            return Err(Errno::EINVAL);
        }
        // Not blocking: some files of /proc and FUSE have readers wait.
        self.reopen(flags | OFlag::O_NONBLOCK | OFlag::O_NOCTTY).map(File::from)
    }

    /// Opens a folder, for what wants more than a place.
    pub fn open_folder(&self) -> nix::Result<OwnedFd> {
        self.reopen(OFlag::O_RDONLY | OFlag::O_DIRECTORY)
    }

    /// What is in a folder, in the order of bytes. `None` when that is more than `at_most` names.
    pub fn names(&self, at_most: usize) -> nix::Result<Option<Vec<Vec<u8>>>> {
        let mut folder = nix::dir::Dir::from_fd(self.open_folder()?)?;
        let mut names = Vec::new();
        for entry in folder.iter() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") {
                continue;
            }
            if names.len() == at_most {
                return Ok(None);
            }
            names.push(name.to_vec());
        }
        names.sort_unstable();
        Ok(Some(names))
    }

    /// Its extended attributes; none where the file system has no such thing.
    pub fn xattrs(&self) -> io::Result<Vec<(CString, Vec<u8>)>> {
        match xattr::list_open(self.fd.as_fd()) {
            Err(error) if xattr::is_unsupported(&error) => Ok(Vec::new()),
            other => other,
        }
    }

    /// The mount that it was reached through: another one than its folder's when something is mounted on it.
    pub fn mount_id(&self) -> io::Result<u64> {
        mount_id(self.fd.as_fd())
    }

    fn reopen(&self, flags: OFlag) -> nix::Result<OwnedFd> {
        open(self.path().as_os_str(), flags | OFlag::O_CLOEXEC, Mode::empty())
    }

    /// A name that means exactly this file, whatever happens to those that it has.
    fn path(&self) -> OsString {
        format!("/proc/self/fd/{}", self.fd.as_raw_fd()).into()
    }
}

impl AsFd for Node {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The mount that a descriptor was opened through.
pub fn mount_id(fd: BorrowedFd<'_>) -> io::Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_raw_fd()))?;
    let id = text.lines().find_map(|line| line.strip_prefix("mnt_id:")).and_then(|id| id.trim().parse().ok());
    id.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_was_found_is_what_is_read() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a"), "one").unwrap();
        let folder = File::open(dir.path()).unwrap();
        let node = Node::at(&folder, b"a").unwrap();
        std::fs::remove_file(dir.path().join("a")).unwrap();
        symlink("/etc/passwd", dir.path().join("a")).unwrap();
        assert_eq!(io::read_to_string(node.open_file(OFlag::O_RDONLY).unwrap()).unwrap(), "one");
        let link = Node::at(&folder, b"a").unwrap();
        assert_eq!((link.kind(), link.link_target().unwrap()), (NodeKind::Symlink, b"/etc/passwd".to_vec()));
        assert!(link.open_file(OFlag::O_RDONLY).is_err());
    }

    #[test]
    fn pipes_are_not_opened_and_folders_listed_up_to_a_number() {
        let dir = tempfile::tempdir().unwrap();
        nix::unistd::mkfifo(&dir.path().join("b"), Mode::from_bits_truncate(0o600)).unwrap();
        std::fs::write(dir.path().join("a\n"), "").unwrap();
        let folder = Node::of(File::open(dir.path()).unwrap().into()).unwrap();
        assert_eq!(Node::at(&folder, b"b").unwrap().open_file(OFlag::O_RDONLY).unwrap_err(), Errno::EINVAL);
        assert_eq!(folder.names(2).unwrap().unwrap(), [b"a\n".to_vec(), b"b".to_vec()]);
        assert_eq!(folder.names(1).unwrap(), None);
    }
}
