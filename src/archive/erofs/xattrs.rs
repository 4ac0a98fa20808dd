//! Extended attributes: which of an archive's are taken, and how they lie beside an inode.

use super::acl;
use super::nodes::{Node, NodeKind};
use crate::archive::whiteout::is_reserved_xattr;
use crate::error::{Error, Result};
use crate::sys::file_capability;

/// Beginnings of names that EROFS has a number for (`EROFS_XATTR_INDEX_…`); whole names where nothing may follow.
const PREFIXES: [(&[u8], u8, bool); 5] = [
    (b"user.", 1, false),
    (b"system.posix_acl_access", 2, true),
    (b"system.posix_acl_default", 3, true),
    (b"trusted.", 4, false),
    (b"security.", 6, false),
];

/// `struct erofs_xattr_ibody_header`.
const HEADER: usize = 12;
/// `struct erofs_xattr_entry`, before its name.
const ENTRY: usize = 4;
/// Its size counts in units of four bytes, in 16 bits.
const MAX_BODY: usize = 4 * (u16::MAX as usize - 1);

/// Gives a node an attribute of the archive, by the rules by which the kernel takes one: those that it would not
/// keep are left out, as Docker does; those of overlayfs are not the image's to set.
pub(super) fn set(node: &mut Node, name: &[u8], value: &[u8]) -> Result<()> {
    if is_reserved_xattr(name) {
        return Ok(());
    }
    let damaged = || Error::corrupt("the archive is damaged: an extended attribute has no proper name");
    if name.contains(&0) || name.is_empty() || name.len() > 255 || value.len() > usize::from(u16::MAX) {
        return Err(damaged());
    }
    let Some((prefix, _, whole)) = PREFIXES.iter().find(|(prefix, ..)| name.starts_with(prefix)) else {
        return Ok(());
    };
    if (name.len() == prefix.len()) != *whole {
        return if *whole { Ok(()) } else { Err(damaged()) };
    }
    // `user.` attributes are for files and folders only (xattr(7)).
    if prefix == b"user." && !matches!(node.kind, NodeKind::File { .. } | NodeKind::Folder { .. }) {
        return Ok(());
    }
    if name == file_capability::XATTR && !file_capability::is_valid(value) {
        return Err(damaged());
    }
    if *whole && !acl::apply(node, name, value).ok_or_else(damaged)? {
        return Ok(());
    }
    node.xattrs.insert(name.to_vec(), value.to_vec());
    Ok(())
}

/// Whether all attributes of a node have room beside it.
pub(super) fn fit(node: &Node) -> bool {
    size(node) <= MAX_BODY
}

/// Bytes that the attributes of a node take; 0 for none.
pub(super) fn size(node: &Node) -> usize {
    if node.xattrs.is_empty() {
        return 0;
    }
    HEADER + node.xattrs.iter().map(|(name, value)| entry_size(name, value)).sum::<usize>()
}

fn entry_size(name: &[u8], value: &[u8]) -> usize {
    (ENTRY + split(name).1.len() + value.len()).next_multiple_of(4)
}

/// `i_xattr_icount` of a node.
pub(super) fn count(node: &Node) -> u16 {
    match size(node) {
        0 => 0,
        size => ((size - HEADER) / 4 + 1) as u16,
    }
}

/// Writes them as they lie behind an inode.
pub(super) fn encode(node: &Node, output: &mut Vec<u8>) {
    if node.xattrs.is_empty() {
        return;
    }
    output.extend([0; HEADER]);
    for (name, value) in &node.xattrs {
        let start = output.len();
        let (index, rest) = split(name);
        output.extend([rest.len() as u8, index]);
        output.extend((value.len() as u16).to_le_bytes());
        output.extend(rest);
        output.extend(value);
        output.resize(start + entry_size(name, value), 0);
    }
}

/// The number of a name's beginning, and what follows it.
fn split(name: &[u8]) -> (u8, &[u8]) {
    let known = PREFIXES.iter().find_map(|(prefix, index, _)| Some((*index, name.strip_prefix(*prefix)?)));
    known.unwrap_or((0, name))
}
