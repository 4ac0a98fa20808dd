//! Capabilities of files (`security.capability`, capabilities(7)): whose root they are for.

/// The attribute.
pub const XATTR: &[u8] = b"security.capability";

/// `VFS_CAP_REVISION_3` (linux/capability.h), the highest byte of the first number: with the id of a user namespace's root.
const WITH_ROOT: u8 = 3;
const WITHOUT_ROOT: u8 = 2;
/// Bytes of the one without the id, which is the last number of the other one.
const LENGTH: usize = 20;

/// Whether the kernel would take it.
pub fn is_valid(value: &[u8]) -> bool {
    match value.len() {
        LENGTH => value[3] == WITHOUT_ROOT,
        length => length == LENGTH + 4 && value[3] == WITH_ROOT,
    }
}

/// The same for whoever is root where the file goes: in an archive the id of a root on this machine means nothing. Docker does
/// the same.
pub fn for_any_root(mut value: Vec<u8>) -> Vec<u8> {
    if value.len() == LENGTH + 4 && value[3] == WITH_ROOT {
        value[3] = WITHOUT_ROOT;
        value.truncate(LENGTH);
    }
    value
}

/// The same for the root that has this id on the host: on mounts with mapped owners the kernel takes no other one.
pub fn for_root(mut value: Vec<u8>, uid: u32) -> Vec<u8> {
    if value.len() == LENGTH && value[3] == WITHOUT_ROOT {
        value[3] = WITH_ROOT;
        value.extend(uid.to_le_bytes());
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_of_a_user_namespace_is_left_out_and_put_in() {
        let mut with_root = vec![1, 0, 0, 3, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let mut without = with_root.clone();
        without[3] = 2;
        with_root.extend(700_000u32.to_le_bytes());
        assert_eq!(for_root(without.clone(), 700_000), with_root);
        assert_eq!(for_any_root(with_root), without);
        assert_eq!(for_any_root(without.clone()), without);
        assert_eq!(for_any_root(vec![0, 0, 0, 3]), [0, 0, 0, 3], "what is none stays");
    }
}
