//! Paths inside a container's root file system: never followed out of it, whatever links the image holds.

use super::made_places::{FolderBefore, MadePlace};
use crate::error::{Error, IoContext, Result};
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat, openat2, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, mkdirat};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// Most links that one path may go through, as the kernel has it.
const MOST_LINKS: u32 = 40;

/// What to create where a path ends in nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// A directory.
    Directory,
    /// An empty file: something to mount a file on.
    File,
}

/// The root directory of a container, seen from outside.
#[derive(Debug)]
pub struct Root {
    dir: OwnedFd,
    made: RefCell<Vec<MadePlace>>,
}

impl Root {
    /// Takes the root directory.
    pub fn new(dir: OwnedFd) -> Self {
        Self { dir, made: RefCell::default() }
    }

    /// Opens what a path means to the container: links are followed inside the root only.
    pub fn open(&self, path: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
        self.open_with(path, flags, ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS)
    }

    /// Opens a path that may go through no link at all; fails with `ELOOP` when it does.
    pub fn open_without_links(&self, path: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
        self.open_with(path, flags, ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_SYMLINKS)
    }

    fn open_with(&self, path: &Path, flags: OFlag, resolve: ResolveFlag) -> nix::Result<OwnedFd> {
        let how = OpenHow::new().flags(flags | OFlag::O_CLOEXEC).resolve(resolve);
        loop {
            match openat2(&self.dir, path, how) {
                // A rename elsewhere on the machine came between (openat2(2)).
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                result => return result,
            }
        }
    }

    /// Opens a path as a place (`O_PATH`), and creates what is missing of it: directories on the way
    /// (mode 0755), at its end what `missing` says.
    pub fn open_or_create(&self, path: &Path, missing: Missing) -> Result<OwnedFd> {
        match self.open(path, OFlag::O_PATH) {
            Err(Errno::ENOENT) => self.walk(path, missing),
            other => other,
        }
        .doing(|| format!("cannot make `{}` in the container", path.display()))
    }

    /// The whole of a regular file; `None` when there is none.
    pub fn read(&self, path: &Path, at_most: u64) -> Result<Option<Vec<u8>>> {
        let doing = || format!("cannot read `{}` of the image", path.display());
        // Not blocking: opening a FIFO would wait for a writer for ever.
        let file = match self.open(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY) {
            Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(None),
            other => other.doing(doing)?,
        };
        if !is_kind(&fstat(&file).doing(doing)?, SFlag::S_IFREG) {
            return Err(Error::invalid(format!("{}: it is not a regular file", doing())));
        }
        let mut content = Vec::new();
        File::from(file).take(at_most + 1).read_to_end(&mut content).doing(doing)?;
        if content.len() as u64 > at_most {
            return Err(Error::invalid(format!("{}: it is larger than {at_most} bytes", doing())));
        }
        Ok(Some(content))
    }

    /// What [`Self::open_or_create`] has made so far, in that order.
    pub fn take_made(&self) -> Vec<MadePlace> {
        self.made.take()
    }

    /// One component at a time, none followed by the kernel: so also a link to something missing gets
    /// its target created, inside the root.
    fn walk(&self, path: &Path, missing: Missing) -> nix::Result<OwnedFd> {
        let mut links = 0;
        let mut todo: VecDeque<OsString> = components(path).collect();
        let mut stack: Vec<(OsString, OwnedFd)> = Vec::new();
        while let Some(name) = todo.pop_front() {
            if name == ".." {
                stack.pop();
                continue;
            }
            let here = stack.last().map_or(self.dir.as_fd(), |(_, fd)| fd.as_fd());
            let next = match open_component(here, &name) {
                Err(Errno::ENOENT) => {
                    let what = if todo.is_empty() { missing } else { Missing::Directory };
                    self.make(&stack, here, &name, what)?
                }
                other => other?,
            };
            if is_kind(&fstat(&next)?, SFlag::S_IFLNK) {
                links += 1;
                if links > MOST_LINKS {
                    return Err(Errno::ELOOP);
                }
                let target = readlinkat(&next, "")?;
                if target.as_bytes().starts_with(b"/") {
                    stack.clear();
                }
                for name in components(Path::new(&target)).collect::<Vec<_>>().into_iter().rev() {
                    todo.push_front(name);
                }
            } else {
                stack.push((name, next));
            }
        }
        match stack.pop() {
            Some((_, end)) => Ok(end),
            None => self.dir.try_clone().map_err(|_| Errno::EMFILE),
        }
    }

    fn make(
        &self,
        way: &[(OsString, OwnedFd)],
        folder: BorrowedFd<'_>,
        name: &OsString,
        what: Missing,
    ) -> nix::Result<OwnedFd> {
        let folders = std::iter::once(self.dir.as_fd()).chain(way.iter().map(|(_, fd)| fd.as_fd()));
        let above = folders.map(|fd| Ok(FolderBefore::of(&fstat(fd)?))).collect::<nix::Result<_>>()?;
        if what == Missing::File {
            let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY | OFlag::O_CLOEXEC;
            openat(folder, name.as_os_str(), flags, Mode::from_bits_truncate(0o644)).map(drop)?;
        } else {
            mkdirat(folder, name.as_os_str(), Mode::from_bits_truncate(0o755))?;
        }
        let path: PathBuf = way.iter().map(|(name, _)| name).chain([name]).collect();
        let changed = FolderBefore::of(&fstat(folder)?).modified;
        self.made.borrow_mut().push(MadePlace { path, above, changed });
        open_component(folder, name)
    }
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }
}

/// Whether a file is of this kind.
pub fn is_kind(stat: &FileStat, kind: SFlag) -> bool {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == kind
}

fn open_component(dir: BorrowedFd<'_>, name: &OsString) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    openat(dir, name.as_os_str(), flags, Mode::empty())
}

/// The names of a path, `..` among them, without `/` and `.`.
fn components(path: &Path) -> impl Iterator<Item = OsString> + '_ {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    /// A root in a directory whose parent holds a file that must not be reached.
    fn root() -> (tempfile::TempDir, PathBuf, Root) {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "secret").unwrap();
        let inside = outside.path().join("root");
        std::fs::create_dir(&inside).unwrap();
        let dir = File::open(&inside).unwrap();
        (outside, inside, Root::new(dir.into()))
    }

    #[test]
    fn links_never_lead_out_of_the_root() {
        let (_outside, inside, root) = root();
        symlink("../../secret", inside.join("up")).unwrap();
        symlink("/secret", inside.join("absolute")).unwrap();
        symlink("/proc/self/root", inside.join("magic")).unwrap();
        for path in ["up", "absolute", "../secret", "/../../secret"] {
            assert_eq!(root.read(Path::new(path), 100).unwrap(), None, "{path}");
        }
        assert!(root.open(Path::new("magic/etc"), OFlag::O_PATH).is_err());
    }

    #[test]
    fn what_a_dangling_link_names_is_created_inside() {
        let (outside, inside, root) = root();
        std::fs::create_dir(inside.join("etc")).unwrap();
        symlink("../../../run/resolve/stub.conf", inside.join("etc/resolv.conf")).unwrap();
        root.open_or_create(Path::new("/etc/resolv.conf"), Missing::File).unwrap();
        assert!(inside.join("run/resolve/stub.conf").is_file());
        assert!(!outside.path().join("run").exists());
    }

    #[test]
    fn circles_of_links_are_refused() {
        let (_outside, inside, root) = root();
        symlink("b/x", inside.join("a")).unwrap();
        symlink("a/x", inside.join("b")).unwrap();
        assert!(root.open_or_create(Path::new("/a/c"), Missing::Directory).is_err());
    }

    #[test]
    fn only_regular_files_of_a_sane_size_are_read() {
        let (_outside, inside, root) = root();
        nix::unistd::mkfifo(&inside.join("fifo"), Mode::from_bits_truncate(0o600)).unwrap();
        std::fs::write(inside.join("big"), vec![b'x'; 101]).unwrap();
        assert!(root.read(Path::new("/fifo"), 100).is_err());
        assert!(root.read(Path::new("/big"), 100).is_err());
        assert_eq!(root.read(Path::new("/big"), 101).unwrap().unwrap().len(), 101);
    }
}
