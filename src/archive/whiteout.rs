//! How a layer says that something below is gone: OCI's names, and what overlayfs has for them.

use crate::privilege::Privilege;
use std::ffi::{CStr, CString};

/// What the last component of a name means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whiteout<'a> {
    /// An ordinary name.
    No,
    /// `.wh.NAME`: NAME of the layers below is gone.
    Of(&'a [u8]),
    /// `.wh..wh..opq`: everything of the layers below in this folder is gone.
    Opaque,
    /// Other `.wh..wh.` names: the book-keeping of aufs, which means nothing to anybody else.
    Metadata,
    /// `.wh.` with a name that cannot be.
    Bad,
}

/// What marks a whiteout (OCI image spec, layer.md, "Whiteouts").
pub const PREFIX: &[u8] = b".wh.";
/// The member that makes its folder opaque.
pub const OPAQUE: &[u8] = b".wh..wh..opq";
/// Overlayfs's mark of an opaque folder, with the value `y` (kernel, overlayfs.rst, "whiteouts and opaque directories").
pub const OPAQUE_XATTR: &CStr = c"trusted.overlay.opaque";
/// The same for overlays of ordinary users (`userxattr`).
const OPAQUE_XATTR_OF_USERS: &CStr = c"user.overlay.opaque";
/// Attributes that overlayfs itself reads, and ours: an image must not speak to them directly.
const RESERVED_XATTRS: [&[u8]; 3] = [b"trusted.overlay.", b"user.overlay.", b"user.shanty."];

/// Overlayfs's mark of an opaque folder where we work.
pub fn opaque_xattr() -> &'static CStr {
    if Privilege::current().is_rootless() { OPAQUE_XATTR_OF_USERS } else { OPAQUE_XATTR }
}

/// Whether attributes of a folder say that it is opaque.
pub fn is_opaque(attributes: &[(CString, Vec<u8>)]) -> bool {
    attributes.iter().any(|(name, value)| name.as_c_str() == opaque_xattr() && value == b"y")
}

/// Whether an attribute is for overlayfs or for us.
pub fn is_reserved_xattr(name: &[u8]) -> bool {
    RESERVED_XATTRS.iter().any(|prefix| name.starts_with(prefix))
}

impl<'a> Whiteout<'a> {
    /// Reads the last component of a name.
    pub fn of(name: &'a [u8]) -> Self {
        match name.strip_prefix(PREFIX) {
            None => Self::No,
            Some(b".wh..opq") => Self::Opaque,
            Some(b"" | b"." | b"..") => Self::Bad,
            Some(rest) if rest.starts_with(PREFIX) => Self::Metadata,
            Some(rest) => Self::Of(rest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_mean_what_the_layer_specification_says() {
        for (name, meaning) in [
            ("x", Whiteout::No),
            (".whx", Whiteout::No),
            (".wh.x", Whiteout::Of(b"x")),
            (".wh..x", Whiteout::Of(b".x")),
            (".wh..wh..opq", Whiteout::Opaque),
            (".wh..wh.plnk", Whiteout::Metadata),
            (".wh.", Whiteout::Bad),
            (".wh...", Whiteout::Bad),
        ] {
            assert_eq!(Whiteout::of(name.as_bytes()), meaning, "{name}");
        }
    }
}
