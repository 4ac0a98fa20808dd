//! What had to be made in a root so that mounts have a place: who keeps what a container changed takes it away again.

use super::rootfs::Root;
use crate::error::{IoContext, Result};
use crate::sys::node::Node;
use crate::sys::xattr;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat, futimens};
use nix::sys::time::TimeSpec;
use nix::unistd::{UnlinkatFlags, unlinkat};
use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// A folder or an empty file that had to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadePlace {
    /// Where, from the root, through no link.
    pub path: PathBuf,
    /// The folders on the way there as they were before: the root first.
    pub above: Vec<FolderBefore>,
    /// When the last of them changed by it.
    pub changed: (i64, i64),
}

/// What a folder was like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderBefore {
    /// Type and mode.
    pub mode: u32,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// When it changed last: seconds and nanoseconds.
    pub modified: (i64, i64),
}

impl FolderBefore {
    /// What it is like now.
    pub fn of(stat: &FileStat) -> Self {
        Self { mode: stat.st_mode, uid: stat.st_uid, gid: stat.st_gid, modified: (stat.st_mtime, stat.st_mtime_nsec) }
    }
}

/// Takes them out of overlayfs's upper directory, when nobody uses the overlay any more: what is empty still, and
/// the folders on the way that are there only because something was made below them. Times are as before.
pub fn take_away(upper: &Path, places: &[MadePlace]) -> Result<()> {
    let doing = || format!("cannot take mount points out of `{}`", upper.display());
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let root = Root::new(open(upper, flags, Mode::empty()).doing(doing)?);
    for place in places.iter().rev() {
        place.take_away(&root).doing(doing)?;
    }
    // After all of them: a folder may hold several.
    for place in places.iter().rev() {
        place.take_folders_away(&root).doing(doing)?;
    }
    Ok(())
}

impl MadePlace {
    fn take_away(&self, root: &Root) -> nix::Result<()> {
        let Some((folder, name)) = open_folder_of(root, &self.path)? else { return Ok(()) };
        let stat = match fstatat(&folder, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Err(Errno::ENOENT) => return Ok(()),
            stat => stat?,
        };
        let before = fstat(&folder)?;
        let flag = match SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT {
            SFlag::S_IFDIR => UnlinkatFlags::RemoveDir,
            SFlag::S_IFREG if stat.st_size == 0 => UnlinkatFlags::NoRemoveDir,
            // Of the program.
            _ => return Ok(()),
        };
        match unlinkat(&folder, name, flag) {
            Err(Errno::ENOTEMPTY | Errno::EEXIST) => return Ok(()),
            removed => removed?,
        }
        let now = (before.st_mtime, before.st_mtime_nsec);
        // Nobody else has changed the folder since.
        let time = self.above.last().filter(|_| now == self.changed).map_or(now, |folder| folder.modified);
        set_modified(&folder, time)
    }

    /// The folders that were only copied up.
    fn take_folders_away(&self, root: &Root) -> nix::Result<()> {
        let mut path = self.path.as_path();
        for before in self.above.iter().skip(1).rev() {
            let Some(above) = path.parent() else { return Ok(()) };
            path = above;
            let Some((folder, name)) = open_folder_of(root, path)? else { continue };
            let Ok(node) = Node::at(&folder, name.as_encoded_bytes()) else { continue };
            if FolderBefore::of(node.stat()) != *before || !is_plain(&node) {
                return Ok(());
            }
            let kept = fstat(&folder)?;
            match unlinkat(&folder, name, UnlinkatFlags::RemoveDir) {
                Err(Errno::ENOTEMPTY | Errno::EEXIST) => return Ok(()),
                removed => removed?,
            }
            set_modified(&folder, (kept.st_mtime, kept.st_mtime_nsec))?;
        }
        Ok(())
    }
}

/// Whether a folder has no attributes but those of overlayfs, which do not say that it hides the layers below.
fn is_plain(folder: &Node) -> bool {
    let Ok(fd) = folder.open_folder() else { return false };
    let Ok(attributes) = xattr::list_open(fd.as_fd()) else { return false };
    attributes.iter().all(|(name, _)| {
        let name = name.to_bytes();
        // Of ordinary users' overlays, too.
        let own = name.strip_prefix(b"trusted.overlay.").or_else(|| name.strip_prefix(b"user.overlay."));
        own.is_some_and(|own| own != b"opaque")
    })
}

fn open_folder_of<'a>(root: &Root, path: &'a Path) -> nix::Result<Option<(OwnedFd, &'a OsStr)>> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(None) };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    match root.open_without_links(folder, OFlag::O_RDONLY | OFlag::O_DIRECTORY) {
        // The program has put something else there.
        Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => Ok(None),
        opened => Ok(Some((opened?, name))),
    }
}

fn set_modified(folder: &OwnedFd, (seconds, nanoseconds): (i64, i64)) -> nix::Result<()> {
    futimens(folder, &TimeSpec::UTIME_OMIT, &TimeSpec::new(seconds, nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::rootfs::Missing;
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};

    /// A root, which stands for an upper directory as well: nothing is below it.
    fn root() -> (tempfile::TempDir, Root) {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::new(fs::File::open(dir.path()).unwrap().into());
        (dir, root)
    }

    #[test]
    fn what_was_made_goes_and_what_a_program_put_there_stays() {
        let (dir, root) = root();
        let at = |path: &str| dir.path().join(path);
        fs::create_dir(at("run")).unwrap();
        fs::create_dir_all(at("var")).unwrap();
        symlink("/run", at("var/run")).unwrap();
        for (path, missing) in [
            ("/proc", Missing::Directory),
            ("/etc/hosts", Missing::File),
            ("/a/b/c", Missing::Directory),
            ("/a/b/d", Missing::File),
            ("/var/run/socket", Missing::File),
            ("/x/y", Missing::Directory),
        ] {
            root.open_or_create(Path::new(path), missing).unwrap();
        }
        let places = root.take_made();
        let paths: Vec<_> = places.iter().map(|place| place.path.to_str().unwrap()).collect();
        assert_eq!(paths, ["proc", "etc", "etc/hosts", "a", "a/b", "a/b/c", "a/b/d", "run/socket", "x", "x/y"]);
        fs::write(at("a/b/kept"), "").unwrap();
        fs::write(at("x/y/kept"), "").unwrap();
        take_away(dir.path(), &places).unwrap();
        let mut left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        // `run` looks as if it had only been copied up.
        assert_eq!(left, ["a", "var", "x"]);
        assert!(at("a/b/kept").is_file() && at("x/y/kept").is_file() && !at("a/b/c").exists() && !at("a/b/d").exists());
    }

    #[test]
    fn times_are_as_before() {
        let (dir, root) = root();
        let folder = dir.path().join("etc");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("passwd"), "").unwrap();
        let old = fs::File::open(&folder).unwrap();
        old.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000)).unwrap();
        for name in ["/etc/hosts", "/etc/resolv.conf"] {
            root.open_or_create(Path::new(name), Missing::File).unwrap();
        }
        assert_ne!(fs::metadata(&folder).unwrap().mtime(), 1_000);
        take_away(dir.path(), &root.take_made()).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().mtime(), 1_000);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    }
}
