//! A layer's tar into a folder that overlayfs takes as a lower layer.

use super::limits::Limits;
use super::member::{Member, MemberKind};
use super::pipeline::inflate;
use super::reader::TarReader;
use super::target::Target;
use super::tree::Tree;
use super::whiteout::Whiteout;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::model::Digest;
use std::io::{BufRead, Read};
use std::path::Path;

/// What was unpacked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpacked {
    /// Digest of the uncompressed tar.
    pub diff_id: Digest,
    /// Bytes of all files.
    pub size: u64,
    /// Members of the tar.
    pub entries: u64,
}

/// Unpacks `source`, compressed or not, into `folder`, which exists and is empty: owners, modes, times,
/// links, attributes and devices as the OCI layer specification has them, whiteouts in
/// overlayfs's form. All of `source` is read.
///
/// # Errors
/// `corrupt` when the archive is damaged or asks for what no honest archive does; `folder` then
/// holds what came before.
pub fn unpack(source: impl Read + Send, folder: &Path, limits: &Limits, cx: &Context) -> Result<Unpacked> {
    let ((size, entries), diff_id) = inflate(source, |chunks| unpack_tar(chunks, folder, limits, cx))?;
    Ok(Unpacked { diff_id, size, entries })
}

/// The digest of the uncompressed bytes of an archive.
pub fn diff_id(source: impl Read + Send) -> Result<Digest> {
    let limits = Limits { entries: 0, bytes: 0, name_bytes: 0 };
    let ((), diff_id) = inflate(source, |chunks| TarReader::new(chunks, &limits).drain().map(drop))?;
    Ok(diff_id)
}

fn unpack_tar(source: impl BufRead, folder: &Path, limits: &Limits, cx: &Context) -> Result<(u64, u64)> {
    let mut reader = TarReader::new(source, limits);
    let mut tree = Tree::open(folder)?;
    let counts = fill(&mut tree, &mut reader, cx)?;
    tree.finish()?;
    reader.drain()?;
    Ok(counts)
}

/// Adds all members to a tree; gives the bytes of the files, and how many members there were.
pub fn fill(tree: &mut impl Target, reader: &mut TarReader<impl BufRead>, cx: &Context) -> Result<(u64, u64)> {
    let (mut size, mut entries) = (0, 0);
    while let Some(member) = reader.next()? {
        cx.check()?;
        size += member.size;
        entries += 1;
        place(tree, &member, reader, cx).map_err(|error| error.context(format!("unpacking `{}`", member.path)))?;
    }
    Ok((size, entries))
}

/// Adds a member to a tree.
pub fn place(
    tree: &mut impl Target,
    member: &Member,
    reader: &mut TarReader<impl BufRead>,
    cx: &Context,
) -> Result<()> {
    let Some((parent, name)) = member.path.split() else {
        return match member.kind {
            MemberKind::Directory => tree.root_directory(member),
            _ => Err(Error::corrupt("the archive is damaged: its root is no folder")),
        };
    };
    if parent.split(|byte| *byte == b'/').any(|component| Whiteout::of(component) != Whiteout::No) {
        return Err(Error::corrupt("the archive is damaged: a whiteout is used as a folder"));
    }
    match Whiteout::of(name) {
        Whiteout::No => {}
        Whiteout::Of(hidden) => return tree.whiteout(parent, hidden, member),
        Whiteout::Opaque => return tree.opaque(parent, member),
        Whiteout::Metadata => return Ok(()),
        Whiteout::Bad => return Err(Error::corrupt("the archive is damaged: a whiteout of nothing")),
    }
    match &member.kind {
        MemberKind::File => tree.file(parent, name, member, reader, cx),
        MemberKind::Directory => tree.directory(parent, name, member),
        MemberKind::Symlink(target) => tree.symlink(parent, name, target, member),
        MemberKind::HardLink(target) => tree.hard_link(parent, name, target, member),
        MemberKind::CharDevice(device) => tree.node(parent, name, libc::S_IFCHR, *device, member),
        MemberKind::BlockDevice(device) => tree.node(parent, name, libc::S_IFBLK, *device, member),
        MemberKind::Fifo => tree.node(parent, name, libc::S_IFIFO, 0, member),
    }
}
