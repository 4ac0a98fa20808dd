//! A folder into a tar: the same folder always gives the same bytes.
//!
//! Every step is relative to a descriptor: a container may exchange folders for links while its files are read.

use super::end_record::{EndRecord, Hashing};
use super::exclude::Exclusion;
use super::limits::{Limits, MAX_DEPTH};
use super::member::{Member, MemberKind, Path as Inside, Time};
use super::sparse::{SparseData, SparseMap};
use super::whiteout::{self, is_reserved_xattr};
use super::writer::TarWriter;
use crate::context::Context;
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::model::IdMaps;
use crate::sys::file_capability;
use crate::sys::node::{LOOK, Node, NodeKind};
use crate::sys::ownership;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::stat::Mode;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What is written besides the files as they are.
#[derive(Clone, Copy, Debug, Default)]
pub struct PackOptions<'a> {
    /// The folder is an overlay's upper directory: its whiteouts and opaque folders become OCI's.
    pub whiteouts: bool,
    /// Every time becomes this one.
    pub mtime: Option<Time>,
    /// Every later time becomes this one.
    pub newest: Option<Time>,
    /// What is left out, with all below it.
    pub excluded: &'a [Inside],
    /// Whose ids the kernel shows for the owners; `None`: their own.
    pub ids: Option<&'a IdMaps>,
    /// What else is left out.
    pub exclusions: &'a [Exclusion],
    /// How much it may be.
    pub limits: Limits,
}

/// Writes everything below `root` as a tar, in the order of names.
pub fn pack(root: &Path, options: &PackOptions<'_>, output: impl Write) -> Result<()> {
    let doing = || format!("cannot read `{}`", root.display());
    let folder = Node::of(File::open(root).doing(doing)?.into()).doing(doing)?;
    pack_folder(&folder, options, &Context::background(), output)
}

/// The same of a folder that is open. What vanishes meanwhile is left out.
///
/// # Errors
/// `invalid` when it is more than `options.limits`.
pub fn pack_folder(root: &Node, options: &PackOptions<'_>, cx: &Context, output: impl Write) -> Result<()> {
    let writer = TarWriter::new(output);
    let mut packer =
        Packer { writer, options, cx, links: HashMap::new(), entries: 0, bytes: 0, members: 0, whole: false };
    packer.folder(root, &Inside::default(), 0)?;
    packer.writer.finish().and_then(|mut output| output.flush()).doing(|| "cannot write an archive")
}

/// A folder as a backup: its own attributes, holes and those attributes that overlayfs reads are kept, and the end says
/// what is in it. Gives what it says. `is_whole` is asked before: what vanished meanwhile has been left out, and no backup may
/// say that it is whole when all of the folder went away.
pub fn pack_backup(
    root: &Node,
    options: &PackOptions<'_>,
    cx: &Context,
    output: impl Write,
    is_whole: impl FnOnce() -> Result<()>,
) -> Result<EndRecord> {
    let doing = || "cannot write an archive";
    let writer = TarWriter::new(Hashing::new(output));
    let mut packer =
        Packer { writer, options, cx, links: HashMap::new(), entries: 0, bytes: 0, members: 0, whole: true };
    packer.entry(root, &Inside::default(), 0)?;
    is_whole()?;
    let record = packer.writer.output().passed().record(packer.members);
    packer.writer.comment(&record.to_string()).doing(doing)?;
    packer.writer.finish().and_then(|mut output| output.flush()).doing(doing)?;
    Ok(record)
}

/// What a file of the host would be as a member under the name `inside`; `None` for a socket, which nothing
/// listens on in an image and no tar can hold.
pub fn member_of(host: &Path, inside: Inside) -> Result<Option<Member>> {
    let node = openat(AT_FDCWD, host, LOOK, Mode::empty()).and_then(Node::of);
    let doing = || format!("cannot read `{}`", host.display());
    member(&node.doing(doing)?, inside).doing(doing)
}

fn member(node: &Node, inside: Inside) -> nix::Result<Option<Member>> {
    let stat = node.stat();
    let kind = match node.kind() {
        NodeKind::File => MemberKind::File,
        NodeKind::Folder => MemberKind::Directory,
        NodeKind::Symlink => MemberKind::Symlink(node.link_target()?),
        NodeKind::CharDevice => MemberKind::CharDevice(stat.st_rdev),
        NodeKind::BlockDevice => MemberKind::BlockDevice(stat.st_rdev),
        NodeKind::Fifo => MemberKind::Fifo,
        NodeKind::Socket => return Ok(None),
    };
    let size = if kind == MemberKind::File { u64::try_from(stat.st_size).unwrap_or(0) } else { 0 };
    Ok(Some(Member {
        path: inside,
        kind,
        mode: node.mode(),
        uid: stat.st_uid,
        gid: stat.st_gid,
        mtime: Time { seconds: stat.st_mtime, nanoseconds: stat.st_mtime_nsec },
        size,
        xattrs: Vec::new(),
    }))
}

/// A file of exactly so many bytes: what its header says is written.
pub fn exactly(path: &Path, size: u64) -> io::Result<impl Read + use<>> {
    Ok(Exactly { file: File::open(path)?, left: size, cx: None })
}

struct Packer<'a, W: Write> {
    writer: TarWriter<W>,
    options: &'a PackOptions<'a>,
    cx: &'a Context,
    /// Files with several names: device and inode, and the name that was written first.
    links: HashMap<(u64, u64), Inside>,
    entries: u64,
    bytes: u64,
    /// Members that were written.
    members: u64,
    /// It is a backup: nothing is left out that a tar can hold.
    whole: bool,
}

impl<W: Write> Packer<'_, W> {
    fn folder(&mut self, folder: &Node, inside: &Inside, depth: usize) -> Result<()> {
        let too_much = |what: &str| Error::invalid(format!("cannot pack `/{inside}`: {what}"));
        if depth > MAX_DEPTH {
            return Err(too_much(&format!("more than {MAX_DEPTH} folders are inside each other")));
        }
        let left = self.options.limits.entries.saturating_sub(self.entries);
        let names = folder.names(usize::try_from(left).unwrap_or(usize::MAX));
        let names = names.doing(|| format!("cannot pack `/{inside}`"))?;
        let names = names.ok_or_else(|| too_much(&format!("more than {} files", self.options.limits.entries)))?;
        self.entries += names.len() as u64;
        for name in names {
            self.cx.check()?;
            let path = inside.join(&name);
            if self.options.excluded.contains(&path) || self.options.exclusions.iter().any(|some| some.means(&path)) {
                continue;
            }
            match Node::at(folder, &name) {
                Err(Errno::ENOENT) => {}
                node => self.entry(&node.doing(|| format!("cannot pack `/{path}`"))?, &path, depth)?,
            }
        }
        Ok(())
    }

    fn entry(&mut self, node: &Node, inside: &Inside, depth: usize) -> Result<()> {
        let doing = || format!("cannot pack `/{inside}`");
        if self.options.whiteouts && node.is_whiteout() {
            let (parent, name) = inside.split().unwrap_or_default();
            let marker = Inside::parse(parent).unwrap_or_default().join(&[whiteout::PREFIX, name].concat());
            return self.marker(marker).doing(doing);
        }
        let Some(mut member) = member(node, inside.clone()).doing(doing)? else { return Ok(()) };
        self.members += 1;
        if let Some(time) = self.options.mtime {
            member.mtime = time;
        }
        if let Some(newest) = self.options.newest.filter(|newest| newest.seconds < member.mtime.seconds) {
            member.mtime = newest;
        }
        let attributes = node.xattrs().doing(doing)?;
        if let Some(owner) = ownership::recorded(&attributes) {
            (member.uid, member.gid) = owner;
        } else if let Some(maps) = self.options.ids {
            (member.uid, member.gid) = maps.in_container((member.uid, member.gid));
        }
        let is_folder = node.kind() == NodeKind::Folder;
        if !is_folder && node.stat().st_nlink > 1 {
            if let Some(first) = self.links.get(&node.key()) {
                member.kind = MemberKind::HardLink(first.clone());
                member.size = 0;
                return self.writer.add(&member, io::empty()).doing(doing);
            }
            self.links.insert(node.key(), inside.clone());
        }
        let opaque = whiteout::is_opaque(&attributes);
        member.xattrs = attributes
            .into_iter()
            .map(|(name, value)| (name.into_bytes(), value))
            .map(|(name, value)| match name.as_slice() {
                file_capability::XATTR if !self.whole => (name, file_capability::for_any_root(value)),
                _ => (name, value),
            })
            .filter(|(name, _)| self.whole || !is_reserved_xattr(name))
            .collect();
        if member.kind == MemberKind::File {
            return self.file(node, &member);
        }
        self.writer.add(&member, io::empty()).doing(doing)?;
        if is_folder {
            if self.options.whiteouts && opaque {
                self.marker(inside.join(whiteout::OPAQUE)).doing(doing)?;
            }
            self.folder(node, inside, depth + 1)?;
        }
        Ok(())
    }

    fn file(&mut self, node: &Node, member: &Member) -> Result<()> {
        self.bytes = self.bytes.saturating_add(member.size);
        if self.bytes > self.options.limits.bytes {
            let most = self.options.limits.bytes >> 30;
            return Err(Error::invalid(format!("cannot pack `/{}`: it comes to more than {most} GiB", member.path))
                .hint("is it a sparse file? remove it, or copy what you need: `container(…).copy_from(…)`"));
        }
        let doing = || format!("cannot pack `/{}`", member.path);
        let file = node.open_file(OFlag::O_RDONLY).doing(doing)?;
        let stored = u64::try_from(node.stat().st_blocks).unwrap_or(0).saturating_mul(512);
        let map = if self.whole && stored < member.size { SparseMap::of(&file, member.size) } else { None };
        match map {
            Some(map) => self.writer.add_sparse(member, &map, SparseData::new(file, &map, self.cx)),
            None => self.writer.add(member, Exactly { file, left: member.size, cx: Some(self.cx) }),
        }
        .doing(doing)
    }

    /// An empty file with a meaningful name.
    fn marker(&mut self, path: Inside) -> io::Result<()> {
        let mtime = self.options.mtime.unwrap_or_default();
        let member =
            Member { path, kind: MemberKind::File, mode: 0, uid: 0, gid: 0, mtime, size: 0, xattrs: Vec::new() };
        self.writer.add(&member, io::empty())
    }
}

/// What is in a folder, in the order of bytes.
pub fn names(folder: &Path) -> Result<Vec<OsString>> {
    let doing = || format!("cannot read `{}`", folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).doing(doing)? {
        names.push(entry.doing(doing)?.file_name());
    }
    names.sort_by(|a: &OsString, b| OsStr::as_bytes(a).cmp(OsStr::as_bytes(b)));
    Ok(names)
}

/// As many bytes of a file as its header says, however it grows or shrinks.
struct Exactly<'a> {
    file: File,
    left: u64,
    /// Whose files change while they are read: what is missing becomes zeros, as GNU tar does. `None`: it is an error.
    cx: Option<&'a Context>,
}

impl Read for Exactly<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.cx.map_or(Ok(()), Context::check).map_err(io::Error::other)?;
        let room = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let mut count = self.file.read(&mut buffer[..room])?;
        if count == 0 && room > 0 && self.cx.is_some() {
            buffer[..room].fill(0);
            count = room;
        }
        if count == 0 && room > 0 {
            return Err(io::Error::other(Error::new(ErrorKind::Busy, "the file shrank while it was read")));
        }
        self.left -= count as u64;
        Ok(count)
    }
}
