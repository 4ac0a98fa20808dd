//! A backup into a folder: all of it is looked at before anybody may use it.

use super::end_record::EndRecord;
use super::limits::Limits;
use super::member::{Member, MemberKind};
use super::pipeline::read_ahead;
use super::reader::TarReader;
use super::target::Target as _;
use super::tree::Tree;
use crate::context::Context;
use crate::error::{Error, Result};
use std::io::{BufRead, Read};
use std::path::Path;

/// A backup is the user's own, and may be as large as the disk. Only what is kept in memory is limited.
pub const LIMITS: Limits = Limits { entries: u64::MAX, bytes: u64::MAX, name_bytes: 8 << 30 };

/// Unpacks a tar, compressed or not, into `folder`, which exists and is empty: owners, modes, times, links, attributes, holes,
/// pipes and devices as they were. Nothing has a special name. With `verify`, its end record must be there and true.
///
/// # Errors
/// `corrupt` when the archive is damaged or not whole; `folder` then holds what came before.
pub fn restore(source: impl Read + Send, folder: &Path, verify: bool, cx: &Context) -> Result<EndRecord> {
    read_ahead(source, |chunks| {
        let mut reader = TarReader::new(chunks, &LIMITS).of_backup();
        let mut tree = Tree::open(folder)?.with_overlay_attributes();
        while let Some(member) = reader.next()? {
            cx.check()?;
            place(&mut tree, &member, &mut reader, cx)
                .map_err(|error| error.context(format!("unpacking `{}`", member.path)))?;
        }
        tree.finish()?;
        let (found, record) = reader.end_record();
        if verify {
            check(&found, record.as_ref())?;
        }
        // The rest of what is compressed has a check of its own.
        reader.drain()?;
        Ok(found)
    })
}

/// Unpacks a tar of anybody's in the same way: within the limits of layers.
pub fn restore_plain(source: impl Read + Send, folder: &Path, cx: &Context) -> Result<()> {
    read_ahead(source, |chunks| {
        let mut reader = TarReader::new(chunks, &Limits::default()).of_backup();
        let mut tree = Tree::open(folder)?;
        while let Some(member) = reader.next()? {
            cx.check()?;
            place(&mut tree, &member, &mut reader, cx)
                .map_err(|error| error.context(format!("unpacking `{}`", member.path)))?;
        }
        tree.finish()
    })
}

fn check(found: &EndRecord, record: Option<&EndRecord>) -> Result<()> {
    match record {
        Some(record) if record == found => Ok(()),
        Some(record) => Err(Error::corrupt(format!(
            "the backup is damaged: it has {} entries and {} bytes with the digest {:.12}…, its end says {}, {} and {:.12}…",
            found.entries, found.bytes, found.sha256, record.entries, record.bytes, record.sha256
        ))),
        None => Err(Error::corrupt("this is not a whole backup: it does not end with the record of what is in it")
            .hint("it was cut short, or another program made it; take it as it is with `verify: false`")),
    }
}

fn place(tree: &mut Tree, member: &Member, reader: &mut TarReader<impl BufRead>, cx: &Context) -> Result<()> {
    let Some((parent, name)) = member.path.split() else {
        return match member.kind {
            MemberKind::Directory => tree.root_directory(member),
            _ => Err(Error::corrupt("the archive is damaged: its root is no folder")),
        };
    };
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
