//! Capabilities of files (`security.capability`, capabilities(7)), as they are in an archive.

/// The attribute.
pub const XATTR: &[u8] = b"security.capability";

/// `VFS_CAP_REVISION_3` (linux/capability.h), the highest byte of the first number: with the id of a user namespace's root.
const WITH_ROOT: u8 = 3;
const WITHOUT_ROOT: u8 = 2;
/// Bytes of the one without the id, which is the last number of the other one.
const LENGTH: usize = 20;

/// The same for whoever is root where the archive is unpacked: the id of a root on this machine means nothing there. Docker does
/// the same.
pub fn for_any_root(mut value: Vec<u8>) -> Vec<u8> {
    if value.len() == LENGTH + 4 && value[3] == WITH_ROOT {
        value[3] = WITHOUT_ROOT;
        value.truncate(LENGTH);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_of_a_user_namespace_is_left_out() {
        let mut with_root = vec![1, 0, 0, 3, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let mut without = with_root.clone();
        without[3] = 2;
        with_root.extend(700_000u32.to_le_bytes());
        assert_eq!(for_any_root(with_root), without);
        assert_eq!(for_any_root(without.clone()), without);
        assert_eq!(for_any_root(vec![0, 0, 0, 3]), [0, 0, 0, 3], "what is none stays");
    }
}
