//! Access control lists, as `posix_acl_from_xattr` and `posix_acl_update_mode` of the kernel take them.

use super::nodes::Node;

const VERSION: [u8; 4] = [2, 0, 0, 0];
const USER_OBJ: u16 = 1;
const USER: u16 = 2;
const GROUP_OBJ: u16 = 4;
const GROUP: u16 = 8;
const MASK: u16 = 16;
const OTHER: u16 = 32;

/// Whether a list is kept as an attribute: links have none, only folders have one to pass on, and one that says no
/// more than a mode becomes that mode. `None`: it is damaged.
pub(super) fn apply(node: &mut Node, name: &[u8], value: &[u8]) -> Option<bool> {
    let entries = value.strip_prefix(&VERSION)?;
    if entries.len() % 8 != 0 {
        return None;
    }
    let entries: Vec<(u16, u32)> = entries
        .chunks_exact(8)
        .map(|entry| (u16::from_le_bytes([entry[0], entry[1]]), u32::from(u16::from_le_bytes([entry[2], entry[3]]))))
        .collect();
    let permissions = |tag: u16| entries.iter().find(|(found, _)| *found == tag).map(|(_, permissions)| *permissions);
    let (user, group, other) = (permissions(USER_OBJ)?, permissions(GROUP_OBJ)?, permissions(OTHER)?);
    let named = entries.iter().any(|(tag, _)| matches!(*tag, USER | GROUP));
    let mask = permissions(MASK);
    let known = |(tag, permissions): &(u16, u32)| {
        matches!(*tag, USER_OBJ | USER | GROUP_OBJ | GROUP | MASK | OTHER) && *permissions <= 7
    };
    if !entries.iter().all(known) || (named && mask.is_none()) {
        return None;
    }
    if matches!(node.kind, super::nodes::NodeKind::Symlink(_)) {
        return Some(false);
    }
    if name.ends_with(b"default") {
        return node.is_folder().then_some(true);
    }
    node.mode = node.mode & !0o777 | user << 6 | mask.unwrap_or(group) << 3 | other;
    Some(named || mask.is_some())
}
