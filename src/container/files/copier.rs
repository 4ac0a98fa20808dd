//! Copies a tree, each step relative to a descriptor on both sides. Links are copied as links and never followed, and
//! a file has its name once it is whole.

use super::content::{Temporary, copy_content};
use super::late_progress::LateProgress;
use super::place::{Side, shown, split};
use crate::archive::whiteout::is_reserved_xattr;
use crate::archive::{Limits, MAX_DEPTH};
use crate::context::Context;
use crate::error::{Error, IoContext, Result};
use crate::model::Owner;
use crate::privilege::Privilege;
use crate::runtime::rootfs::Root;
use crate::sys::file_capability;
use crate::sys::node::{Node, NodeKind};
use crate::sys::ownership;
use crate::sys::xattr;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::{
    FchmodatFlags, FileStat, Mode, SFlag, UtimensatFlags, fchmod, fchmodat, futimens, mkdirat, mknodat, utimensat,
};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Uid, linkat, symlinkat};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Copies trees into one place.
pub struct Copier<'a> {
    cx: &'a Context,
    progress: LateProgress<'a>,
    from: &'a Side<'a>,
    to: &'a Side<'a>,
    /// Owner of everything; `None`: the source's.
    owner: Option<Owner>,
    /// Mode of files; `None`: the source's.
    mode: Option<u32>,
    /// The folder that is copied into.
    top: Root,
    /// Where in it we are: names, each with a slash.
    here: Vec<u8>,
    /// Files with several names: device and inode, and the path in `top` that was made first.
    links: HashMap<(u64, u64), Vec<u8>>,
    /// The first folder that was made: not copied into itself.
    made: Option<(u64, u64)>,
    entries: u64,
}

impl<'a> Copier<'a> {
    /// Copies into the folder `top`.
    pub fn new(
        cx: &'a Context,
        (from, to): (&'a Side<'a>, &'a Side<'a>),
        top: &Node,
        owner: Option<Owner>,
        mode: Option<u32>,
    ) -> Result<Self> {
        let top = Root::new(top.as_fd().try_clone_to_owned().doing(|| "cannot copy a descriptor")?);
        let progress = LateProgress::new(cx, "copying");
        let (here, links) = (Vec::new(), HashMap::new());
        Ok(Self { cx, progress, from, to, owner, mode, top, here, links, made: None, entries: 0 })
    }

    /// Copies what `source` is to a name in a folder.
    pub fn copy(&mut self, source: &Node, folder: &Node, name: &[u8]) -> Result<()> {
        self.entry(source, folder, name, 0).map_err(|error| self.about(error, name))
    }

    /// Copies what is in `source` into a folder, which keeps its attributes.
    pub fn copy_content(&mut self, source: &Node, folder: &Node) -> Result<()> {
        self.made.get_or_insert(folder.key());
        self.folder_content(source, folder, 0)
    }

    /// The same, and the folder gets the attributes of `source`.
    pub fn copy_whole(&mut self, source: &Node, folder: &Node) -> Result<()> {
        self.copy_content(source, folder)?;
        let open = folder.open_folder().doing(|| "cannot open a folder")?;
        self.attributes(open.as_fd(), source, source.mode())
    }

    fn about(&self, error: Error, name: &[u8]) -> Error {
        // Which file it was matters; that it was stopped does not depend on it.
        if self.cx.check().is_err() { error } else { error.context(format!("copying `{}`", shown(name))) }
    }

    fn entry(&mut self, source: &Node, folder: &Node, name: &[u8], depth: usize) -> Result<()> {
        self.cx.check()?;
        let stat = source.stat();
        match source.kind() {
            NodeKind::Folder => return self.folder(source, folder, name, depth),
            // Nothing listens on the copy of a socket: left out, as Docker does.
            NodeKind::Socket => return Ok(()),
            NodeKind::File => return self.file(source, folder, name),
            _ => {}
        }
        let doing = || "cannot write";
        let node = Temporary::name();
        if source.kind() == NodeKind::Symlink {
            let target = source.link_target().doing(|| "cannot read a link")?;
            symlinkat(&*target, folder.as_fd(), &*node).doing(doing)?;
        } else {
            let kind = SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits());
            mknodat(folder.as_fd(), &*node, kind, Mode::empty(), stat.st_rdev).doing(doing)?;
        }
        let made = Temporary::of(folder.as_fd(), node);
        let (uid, gid) = self.ids(stat)?;
        own(ownership::give_at(folder.as_fd(), made.as_bytes(), (uid.as_raw(), gid.as_raw()))).doing(doing)?;
        if source.kind() != NodeKind::Symlink {
            let mode = Mode::from_bits_truncate(source.mode());
            fchmodat(folder.as_fd(), made.as_bytes(), mode, FchmodatFlags::NoFollowSymlink)
                .or_else(|errno| match errno {
                    // Before Linux 6.6 the library does it through /proc, which may not be mounted.
                    Errno::EOPNOTSUPP => Ok(()),
                    other => Err(other),
                })
                .doing(doing)?;
        }
        let (accessed, modified) = times(stat);
        utimensat(folder.as_fd(), made.as_bytes(), &accessed, &modified, UtimensatFlags::NoFollowSymlink)
            .doing(doing)?;
        made.rename(name).map_err(|errno| taken(errno, name))
    }

    fn file(&mut self, source: &Node, folder: &Node, name: &[u8]) -> Result<()> {
        let stat = source.stat();
        if stat.st_nlink > 1 && self.link(source, folder, name)? {
            return Ok(());
        }
        let doing = || "cannot read it";
        let from = source.open_file(OFlag::O_RDONLY).doing(doing)?;
        if let Some(existing) = mounted_file(folder, name)? {
            // What is mounted on a name cannot be replaced, only filled (such as `/etc/hosts`).
            let mut to = existing.open_file(OFlag::O_WRONLY | OFlag::O_TRUNC).doing(|| "cannot write")?;
            return copy_content(&from, &mut to, stat, self.cx, &self.progress);
        }
        let (temporary, mut file) = Temporary::create(folder.as_fd()).doing(|| "cannot write")?;
        copy_content(&from, &mut file, stat, self.cx, &self.progress)?;
        let mode = self.mode.unwrap_or(source.mode());
        self.attributes(file.as_fd(), source, mode)?;
        temporary.rename(name).map_err(|errno| taken(errno, name))?;
        if stat.st_nlink > 1 {
            self.links.insert(source.key(), [&self.here, name].concat());
        }
        Ok(())
    }

    /// Makes another name of a file that was copied already; `false` when that cannot be.
    fn link(&mut self, source: &Node, folder: &Node, name: &[u8]) -> Result<bool> {
        let Some(first) = self.links.get(&source.key()) else { return Ok(false) };
        let (parent, Some(first)) = split(first) else { return Ok(false) };
        let parent = if parent.is_empty() { b".".as_slice() } else { parent };
        let temporary = Temporary::name();
        let first_folder = self.top.open_without_links(Path::new(OsStr::from_bytes(parent)), OFlag::O_PATH);
        let linked = first_folder.and_then(|from| linkat(from, first, folder.as_fd(), &*temporary, AtFlags::empty()));
        if linked.is_err() {
            // Another mount, a path that is too long, or somebody took the first one away: then it is copied.
            return Ok(false);
        }
        let made = Temporary::of(folder.as_fd(), temporary);
        made.rename(name).map_err(|errno| taken(errno, name))?;
        Ok(true)
    }

    fn folder(&mut self, source: &Node, folder: &Node, name: &[u8], depth: usize) -> Result<()> {
        if self.made == Some(source.key()) {
            return Ok(());
        }
        match mkdirat(folder.as_fd(), name, Mode::S_IRWXU) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(errno).doing(|| "cannot make a folder"),
        }
        let made = Node::at(folder, name).doing(|| "cannot make a folder")?;
        if made.kind() != NodeKind::Folder {
            return Err(Error::conflict(format!("`{}` is there already and is no folder", shown(name)))
                .hint("remove it first, or choose another name"));
        }
        self.made.get_or_insert(made.key());
        let outside = self.here.len();
        self.here.extend_from_slice(&[name, b"/"].concat());
        self.folder_content(source, &made, depth)?;
        self.here.truncate(outside);
        let open = made.open_folder().doing(|| "cannot open a folder")?;
        // Last: writing into a folder changes its time, and its mode may forbid it.
        self.attributes(open.as_fd(), source, source.mode())
    }

    fn folder_content(&mut self, source: &Node, made: &Node, depth: usize) -> Result<()> {
        if depth >= MAX_DEPTH {
            return Err(Error::invalid(format!("more than {MAX_DEPTH} folders are inside each other"))
                .hint("copy a part of it, or use `export_tar`"));
        }
        let most = Limits::default().entries;
        let names = source.names(usize::try_from(most - self.entries).unwrap_or(usize::MAX));
        let names = names.doing(|| "cannot list a folder")?;
        let names = names.ok_or_else(|| Error::invalid(format!("more than {most} files are to be copied")))?;
        self.entries += names.len() as u64;
        for name in names {
            match Node::at(source, &name) {
                // It vanished meanwhile.
                Err(Errno::ENOENT) => {}
                node => {
                    let node = node.doing(|| "cannot look at it");
                    let copied = node.and_then(|node| self.entry(&node, made, &name, depth + 1));
                    copied.map_err(|error| self.about(error, &name))?;
                }
            }
        }
        Ok(())
    }

    /// Gives what was made the owner, mode, attributes and times of its source.
    fn attributes(&self, made: BorrowedFd<'_>, source: &Node, mode: u32) -> Result<()> {
        let doing = || "cannot set its attributes";
        let (uid, gid) = self.ids(source.stat())?;
        // Changing the owner takes setuid and capabilities away, so it comes first.
        own(ownership::give(made, (uid.as_raw(), gid.as_raw()))).doing(doing)?;
        fchmod(made, Mode::from_bits_truncate(mode)).doing(doing)?;
        for (name, value) in source.xattrs().doing(doing)? {
            if !is_kept(name.to_bytes()) {
                continue;
            }
            let value = if name.to_bytes() == file_capability::XATTR { self.capability(value) } else { value };
            match xattr::set_open(made, &name, &value) {
                // The file system that is copied to may not keep them, as Docker has it.
                Err(error) if !xattr::is_unsupported(&error) && error.raw_os_error() != Some(libc::EPERM) => {
                    return Err(error).doing(doing);
                }
                _ => {}
            }
        }
        let (accessed, modified) = times(source.stat());
        futimens(made, &accessed, &modified).doing(doing)
    }

    /// A file's capability is for the root of where it is, as its owner is one there.
    fn capability(&self, value: Vec<u8>) -> Vec<u8> {
        let value = if self.from.ids.is_some() { file_capability::for_any_root(value) } else { value };
        match self.to.ids.and_then(|maps| maps.on_host((0, 0))) {
            Some((root, _)) => file_capability::for_root(value, root),
            None => value,
        }
    }

    fn ids(&self, stat: &FileStat) -> Result<(Uid, Gid)> {
        self.to.kernel_ids(self.owner.unwrap_or_else(|| self.from.owner(stat)))
    }
}

/// The file that is mounted on a name. Renaming over it from outside would take the mount away in the container.
pub fn mounted_file(folder: &Node, name: &[u8]) -> Result<Option<Node>> {
    let doing = || "cannot look at what is there";
    let existing = match Node::at(folder, name) {
        Err(Errno::ENOENT) => return Ok(None),
        other => other.doing(doing)?,
    };
    let mounted =
        existing.kind() == NodeKind::File && existing.mount_id().doing(doing)? != folder.mount_id().doing(doing)?;
    Ok(mounted.then_some(existing))
}

/// Attributes that mean the same in another place.
fn is_kept(name: &[u8]) -> bool {
    let kept: [&[u8]; 3] = [file_capability::XATTR, b"system.posix_acl_access", b"system.posix_acl_default"];
    (name.starts_with(b"user.") && !is_reserved_xattr(name)) || kept.contains(&name)
}

/// Without the right to give files away they are the caller's.
pub fn own(result: nix::Result<()>) -> nix::Result<()> {
    match result {
        Err(Errno::EPERM) if Privilege::current().is_rootless() => Ok(()),
        other => other,
    }
}

fn times(stat: &FileStat) -> (TimeSpec, TimeSpec) {
    (TimeSpec::new(stat.st_atime, stat.st_atime_nsec), TimeSpec::new(stat.st_mtime, stat.st_mtime_nsec))
}

fn taken(errno: Errno, name: &[u8]) -> Error {
    match errno {
        Errno::EISDIR | Errno::ENOTEMPTY | Errno::EEXIST => {
            Error::conflict(format!("`{}` is a folder there, and what is copied is none", shown(name)))
                .hint("remove it first, or choose another name")
        }
        errno => {
            let failed: nix::Result<()> = Err(errno);
            failed.doing(|| format!("cannot write `{}`", shown(name))).err().unwrap_or_else(|| Error::invalid("?"))
        }
    }
}
