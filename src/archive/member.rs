//! One member of a tar, its headers taken together.

/// One member: what, where, whose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Components of its name, without empty ones and `.`; none for the root itself.
    pub path: Path,
    /// What it is.
    pub kind: MemberKind,
    /// Permission bits, with setuid, setgid and sticky.
    pub mode: u32,
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// When it was changed last.
    pub mtime: Time,
    /// Bytes of data that follow.
    pub size: u64,
    /// Extended attributes.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Member {
    /// A file of root with no more than a name and a size.
    pub fn file(name: &[u8], size: u64) -> Self {
        Self {
            path: Path::parse(name).unwrap_or_default(),
            kind: MemberKind::File,
            mode: 0o644,
            uid: 0,
            gid: 0,
            mtime: Time::default(),
            size,
            xattrs: Vec::new(),
        }
    }
}

/// What a member is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberKind {
    /// A regular file.
    File,
    /// A folder.
    Directory,
    /// A symbolic link to this text.
    Symlink(Vec<u8>),
    /// Another name of this member.
    HardLink(Path),
    /// A character device.
    CharDevice(u64),
    /// A block device.
    BlockDevice(u64),
    /// A named pipe.
    Fifo,
}

/// Seconds and nanoseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Time {
    /// May be negative.
    pub seconds: i64,
    /// 0 to 999,999,999, counted forward.
    pub nanoseconds: i64,
}

/// A relative path in normal form: components joined by `/`, none of them empty, `.` or `..`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path(Vec<u8>);

impl Path {
    /// Takes a name of a tar. Names that start with `/` are meant inside, as Docker has it.
    /// `None` when it has a `..`, or a zero byte.
    pub fn parse(name: &[u8]) -> Option<Self> {
        let mut path = Vec::with_capacity(name.len());
        for component in name.split(|byte| *byte == b'/') {
            match component {
                b"" | b"." => {}
                b".." => return None,
                component if component.contains(&0) => return None,
                component => {
                    if !path.is_empty() {
                        path.push(b'/');
                    }
                    path.extend_from_slice(component);
                }
            }
        }
        Some(Self(path))
    }

    /// The path of `name`, one component, in this folder.
    #[must_use]
    pub fn join(&self, name: &[u8]) -> Self {
        if self.0.is_empty() { Self(name.to_vec()) } else { Self([&self.0, name].join(&b'/')) }
    }

    /// The bytes; empty for the root.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Folder and last component; `None` for the root.
    pub fn split(&self) -> Option<(&[u8], &[u8])> {
        match self.0.iter().rposition(|byte| *byte == b'/') {
            Some(slash) => Some((&self.0[..slash], &self.0[slash + 1..])),
            None if self.0.is_empty() => None,
            None => Some((b"", &self.0)),
        }
    }
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_brought_to_a_normal_form() {
        for (name, path) in [
            ("./", Some("")),
            ("/", Some("")),
            ("a", Some("a")),
            ("./a//b/./c/", Some("a/b/c")),
            ("/etc/passwd", Some("etc/passwd")),
            ("a/..b/...", Some("a/..b/...")),
            ("..", None),
            ("a/../b", None),
            ("a/..", None),
            ("a\0b", None),
        ] {
            assert_eq!(Path::parse(name.as_bytes()).map(|path| path.to_string()).as_deref(), path, "{name:?}");
        }
    }
}
