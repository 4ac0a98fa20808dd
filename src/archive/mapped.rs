//! A layer once more with other owners: for a user namespace whose ids the kernel cannot show through a mount.
//!
//! Links are copied as links, and each step is relative to a descriptor on both sides.

use super::whiteout::opaque_xattr;
use crate::context::Context;
use crate::error::{IoContext, Result};
use crate::model::{IdMaps, Owner};
use crate::sys::node::{Node, NodeKind};
use crate::sys::{file_capability, ownership, reflink, xattr};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{
    FchmodatFlags, Mode, SFlag, UtimensatFlags, fchmod, fchmodat, futimens, mkdirat, mknodat, utimensat,
};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Uid, fchown, fchownat, linkat, symlinkat};
use std::collections::HashMap;
use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;

const ACCESS: &[u8] = b"system.posix_acl_access";
const DEFAULT: &[u8] = b"system.posix_acl_default";

/// Copies all that is in the layer's folder `from` into `to`, which is empty and gets the attributes of `from`, too. Owners
/// are those that `maps` gives them; one that it does not have is recorded as one that nobody can have.
pub fn copy_mapped(from: &Node, to: &Node, maps: &IdMaps, cx: &Context) -> Result<()> {
    let mut copy = Copy { cx, maps, top: to, here: Vec::new(), links: HashMap::new() };
    copy.folder(from, to)
}

struct Copy<'a> {
    cx: &'a Context,
    maps: &'a IdMaps,
    top: &'a Node,
    /// Where in it we are: names, each with a slash.
    here: Vec<u8>,
    /// Files with several names: device and inode, and the path in `top` that was made first.
    links: HashMap<(u64, u64), Vec<u8>>,
}

impl Copy<'_> {
    fn folder(&mut self, from: &Node, to: &Node) -> Result<()> {
        let doing = || "cannot list a folder";
        let names = from.names(usize::MAX).doing(doing)?.unwrap_or_default();
        for name in names {
            self.cx.check()?;
            let node = Node::at(from, &name).doing(|| "cannot look at it");
            let copied = node.and_then(|node| self.entry(&node, to, &name));
            copied.map_err(|error| match self.cx.check() {
                Ok(()) => error.context(format!("copying `{}`", String::from_utf8_lossy(&name))),
                Err(stopped) => stopped,
            })?;
        }
        let open = to.open_folder().doing(doing)?;
        // Last: writing into a folder changes its time.
        self.attributes(open.as_fd(), from)
    }

    fn entry(&mut self, from: &Node, folder: &Node, name: &[u8]) -> Result<()> {
        let is_folder = from.kind() == NodeKind::Folder;
        if !is_folder && from.stat().st_nlink > 1 {
            if let Some(first) = self.links.get(&from.key()) {
                let linked = linkat(self.top, first.as_slice(), folder, OsStr::from_bytes(name), AtFlags::empty());
                return linked.doing(|| "cannot make a link");
            }
            self.links.insert(from.key(), [&self.here, name].concat());
        }
        match from.kind() {
            NodeKind::Folder => {
                mkdirat(folder, name, Mode::S_IRWXU).doing(|| "cannot make a folder")?;
                let made = Node::at(folder, name).doing(|| "cannot make a folder")?;
                let outside = self.here.len();
                self.here.extend_from_slice(&[name, b"/"].concat());
                let copied = self.folder(from, &made);
                self.here.truncate(outside);
                copied
            }
            NodeKind::File => self.file(from, folder, name),
            _ => self.special(from, folder, name),
        }
    }

    fn file(&self, from: &Node, folder: &Node, name: &[u8]) -> Result<()> {
        let source = from.open_file(OFlag::O_RDONLY).doing(|| "cannot read it")?;
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let doing = || "cannot write";
        let mut made = File::from(openat(folder, OsStr::from_bytes(name), flags, Mode::S_IRUSR).doing(doing)?);
        if reflink::share(&source, &made).is_err() {
            io::copy(&mut &source, &mut made).doing(doing)?;
        }
        self.attributes(made.as_fd(), from)
    }

    /// Links, whiteouts, pipes.
    fn special(&self, from: &Node, folder: &Node, name: &[u8]) -> Result<()> {
        let (stat, doing) = (from.stat(), || "cannot make it");
        if from.kind() == NodeKind::Symlink {
            symlinkat(&*from.link_target().doing(doing)?, folder, name).doing(doing)?;
        } else {
            let kind = SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits());
            match mknodat(folder, name, kind, Mode::from_bits_truncate(from.mode()), stat.st_rdev) {
                // A device: layers have none for who cannot make them.
                Err(Errno::EPERM) => return Ok(()),
                made => made.doing(doing)?,
            }
        }
        let (uid, gid) = self.mapped((stat.st_uid, stat.st_gid)).unwrap_or((0, 0));
        let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
        fchownat(folder, name, uid, gid, AtFlags::AT_SYMLINK_NOFOLLOW).doing(doing)?;
        if from.kind() == NodeKind::Fifo {
            // Nobody else sees the copy, so that it is no link; and it was made with our umask.
            let mode = Mode::from_bits_truncate(from.mode());
            fchmodat(folder, name, mode, FchmodatFlags::FollowSymlink).doing(doing)?;
        }
        let [accessed, modified] = times(from);
        utimensat(folder, name, &accessed, &modified, UtimensatFlags::NoFollowSymlink).doing(doing)
    }

    fn attributes(&self, made: BorrowedFd<'_>, from: &Node) -> Result<()> {
        let doing = || "cannot set its attributes";
        let attributes = from.xattrs().doing(doing)?;
        let recorded = ownership::recorded(&attributes);
        let owner = recorded.unwrap_or((from.stat().st_uid, from.stat().st_gid));
        let mapped = self.mapped(owner);
        let (uid, gid) = mapped.unwrap_or((0, 0));
        // Changing the owner takes setuid and capabilities away, so it comes first.
        fchown(made, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid))).doing(doing)?;
        fchmod(made, Mode::from_bits_truncate(from.mode())).doing(doing)?;
        if mapped.is_none() {
            ownership::record(made, owner).doing(doing)?;
        }
        for (name, value) in attributes {
            let value = match name.to_bytes() {
                _ if name.as_c_str() == ownership::ATTRIBUTE => continue,
                file_capability::XATTR => {
                    let root = self.maps.on_host((0, 0)).map_or(0, |(uid, _)| uid);
                    file_capability::for_root(file_capability::for_any_root(value), root)
                }
                ACCESS | DEFAULT => match self.access_list(value) {
                    Some(list) => list,
                    None => continue,
                },
                _ => value,
            };
            set(made, &name, &value)?;
        }
        let [accessed, modified] = times(from);
        futimens(made, &accessed, &modified).doing(doing)
    }

    fn mapped(&self, owner: Owner) -> Option<Owner> {
        self.maps.on_host(owner)
    }

    /// An access list (linux/posix_acl_xattr.h: a version, then entries of tag, permissions and id) with other ids; `None`
    /// when it names somebody whom the map does not have.
    fn access_list(&self, mut list: Vec<u8>) -> Option<Vec<u8>> {
        const VERSION: usize = 4;
        const USER: u16 = 0x02;
        const GROUP: u16 = 0x08;
        for entry in list.get_mut(VERSION..)?.chunks_exact_mut(8) {
            let id = u32::from_le_bytes(entry[4..8].try_into().ok()?);
            let mapped = match u16::from_le_bytes([entry[0], entry[1]]) {
                USER => self.mapped((id, 0))?.0,
                GROUP => self.mapped((0, id))?.1,
                _ => continue,
            };
            entry[4..8].copy_from_slice(&mapped.to_le_bytes());
        }
        Some(list)
    }
}

/// What a copy by [`copy_mapped`] of the folder `from` has else than it; `None`: nothing.
pub fn differs_from_mapped(from: &Node, copy: &Node, maps: &IdMaps, cx: &Context) -> Result<Option<String>> {
    let names =
        |folder: &Node| folder.names(usize::MAX).map(Option::unwrap_or_default).doing(|| "cannot list a folder");
    let mut missing: Vec<Vec<u8>> = Vec::new();
    let has = names(copy)?;
    for name in names(from)? {
        cx.check()?;
        let shown = String::from_utf8_lossy(&name).into_owned();
        let original = Node::at(from, &name).doing(|| "cannot look at it")?;
        let Ok(copied) = Node::at(copy, &name) else {
            missing.push(name);
            continue;
        };
        if let Some(difference) = difference(&original, &copied, maps).doing(|| format!("cannot compare `{shown}`"))? {
            return Ok(Some(format!("`{shown}` has {difference}")));
        }
        if original.kind() == NodeKind::Folder
            && let Some(below) = differs_from_mapped(&original, &copied, maps, cx)?
        {
            return Ok(Some(format!("in `{shown}`: {below}")));
        }
    }
    let missing = missing.first().map(|name| format!("`{}` is not there", String::from_utf8_lossy(name)));
    Ok(missing.or((has.len() > names(from)?.len()).then(|| "something was added".to_owned())))
}

fn difference(original: &Node, copied: &Node, maps: &IdMaps) -> io::Result<Option<&'static str>> {
    let (one, other) = (original.stat(), copied.stat());
    let is_link = original.kind() == NodeKind::Symlink;
    let owner = ownership::recorded(&original.xattrs()?).unwrap_or((one.st_uid, one.st_gid));
    if original.kind() != copied.kind() || (!is_link && one.st_mode != other.st_mode) {
        return Ok(Some("another kind or mode"));
    }
    if maps.on_host(owner).unwrap_or((0, 0)) != (other.st_uid, other.st_gid) {
        return Ok(Some("another owner"));
    }
    let is_same = match original.kind() {
        NodeKind::File => {
            one.st_size == other.st_size
                && same_content(original.open_file(OFlag::O_RDONLY)?, copied.open_file(OFlag::O_RDONLY)?)?
        }
        NodeKind::Symlink => original.link_target()? == copied.link_target()?,
        _ => true,
    };
    Ok((!is_same).then_some("another content"))
}

fn same_content(mut one: File, mut other: File) -> io::Result<bool> {
    let (mut from_one, mut from_other) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let read = one.read(&mut from_one)?;
        if read == 0 {
            return Ok(other.read(&mut from_other)? == 0);
        }
        if other.read_exact(&mut from_other[..read]).is_err() || from_one[..read] != from_other[..read] {
            return Ok(false);
        }
    }
}

fn set(made: BorrowedFd<'_>, name: &CString, value: &[u8]) -> Result<()> {
    match xattr::set_open(made, name, value) {
        // Of the machine's, such as labels; but a folder that is not opaque would show what it hides.
        Err(error)
            if name.as_c_str() != opaque_xattr()
                && (xattr::is_unsupported(&error) || error.raw_os_error() == Some(libc::EPERM)) =>
        {
            Ok(())
        }
        other => other.doing(|| "cannot set an attribute"),
    }
}

fn times(node: &Node) -> [TimeSpec; 2] {
    let stat = node.stat();
    [TimeSpec::new(stat.st_atime, stat.st_atime_nsec), TimeSpec::new(stat.st_mtime, stat.st_mtime_nsec)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::IdRange;
    use std::fs;
    use std::os::unix::fs::{MetadataExt, chown};
    use std::path::Path;

    fn open(folder: &Path) -> Node {
        Node::of(File::open(folder).unwrap().into()).unwrap()
    }

    fn attribute(path: &Path, name: &[u8]) -> Option<Vec<u8>> {
        xattr::list(path).unwrap().into_iter().find(|(found, _)| found.to_bytes() == name).map(|(_, value)| value)
    }

    #[test]
    fn owners_access_lists_and_capabilities_are_mapped_and_a_difference_is_found() {
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        fs::create_dir(&from).unwrap();
        fs::create_dir(&to).unwrap();
        for (name, owner) in [("file", 5), ("far", 5000)] {
            fs::write(from.join(name), name).unwrap();
            chown(from.join(name), Some(owner), Some(owner)).unwrap();
        }
        fs::create_dir(from.join("folder")).unwrap();
        fs::hard_link(from.join("file"), from.join("folder/again")).unwrap();
        let open_from = open(&from);
        // u::rw, u:7:r, g::r, g:8:r, m::r, o::-
        let entries =
            [(1u16, 6u16, u32::MAX), (2, 4, 7), (4, 4, u32::MAX), (8, 4, 8), (16, 4, u32::MAX), (32, 0, u32::MAX)];
        let list = |shift: u32| {
            let entry = |(tag, permissions, id): &(u16, u16, u32)| {
                let id = if *id == u32::MAX { *id } else { id + shift };
                [&tag.to_le_bytes()[..], &permissions.to_le_bytes(), &id.to_le_bytes()].concat()
            };
            [2u32.to_le_bytes().to_vec()].into_iter().chain(entries.iter().map(entry)).collect::<Vec<_>>().concat()
        };
        let capability = [[1, 0, 0, 2], [0, 0x20, 0, 0], [0; 4], [0; 4], [0; 4]].concat();
        xattr::set_at(open_from.as_fd(), c"file", c"system.posix_acl_access", &list(0)).unwrap();
        xattr::set_at(open_from.as_fd(), c"file", c"security.capability", &capability).unwrap();
        xattr::set_at(open_from.as_fd(), c"folder", opaque_xattr(), b"y").unwrap();
        let ranges = vec![IdRange { inside: 0, outside: 100_000, count: 1000 }];
        let maps = IdMaps { uid: ranges.clone(), gid: ranges };
        copy_mapped(&open_from, &open(&to), &maps, &Context::background()).unwrap();
        let stat = |name: &str| fs::metadata(to.join(name)).unwrap();
        assert_eq!((stat("file").uid(), stat("folder").uid(), stat("far").uid()), (100_005, 100_000, 0));
        assert_eq!((stat("file").ino(), stat("file").nlink()), (stat("folder/again").ino(), 2));
        assert_eq!(attribute(&to.join("file"), ACCESS), Some(list(100_000)));
        assert_eq!(
            attribute(&to.join("file"), file_capability::XATTR),
            Some(file_capability::for_root(capability, 100_000))
        );
        assert_eq!(attribute(&to.join("folder"), opaque_xattr().to_bytes()), Some(b"y".to_vec()));
        assert_eq!(ownership::recorded(&xattr::list(&to.join("far")).unwrap()), Some((5000, 5000)));
        let differs = || differs_from_mapped(&open_from, &open(&to), &maps, &Context::background()).unwrap();
        assert_eq!(differs(), None);
        fs::write(to.join("far"), "FAR").unwrap();
        assert_eq!(differs().as_deref(), Some("`far` has another content"));
        fs::remove_file(to.join("far")).unwrap();
        assert_eq!(differs().as_deref(), Some("`far` is not there"));
    }
}
