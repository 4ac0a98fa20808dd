//! What a path means as a source and as a target of copying, by the rules of `docker cp`.

use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::model::{IdMaps, Owner};
use crate::runtime::rootfs::Root;
use crate::sys::node::{Node, NodeKind};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::FileStat;
use nix::unistd::{Gid, Uid};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Most links that one target may go through, as the kernel has it.
const MOST_LINKS: usize = 40;

/// One of the two file systems of a copy.
pub struct Side<'a> {
    /// Its root.
    pub root: &'a Root,
    /// How messages call it.
    pub place: &'static str,
    /// Whose ids the kernel shows for its owners; `None`: their own.
    pub ids: Option<&'a IdMaps>,
}

/// Something to copy.
pub struct Source {
    pub node: Node,
    /// What it is called in a folder; `None`: what is in it is meant (`folder/.`).
    pub name: Option<Vec<u8>>,
    /// The path as it was given.
    pub path: Vec<u8>,
}

/// Where to copy to.
pub enum Target {
    /// A folder that is there.
    Folder(Node),
    /// A name in a folder, which something else than a folder has.
    Taken { folder: Node, name: Vec<u8>, existing: Node },
    /// A name in a folder, which nothing has.
    Free { folder: Node, name: Vec<u8>, must_be_folder: bool },
}

impl Side<'_> {
    /// The owner of what the kernel says that about, as this side has it.
    pub fn owner(&self, stat: &FileStat) -> Owner {
        let shown = (stat.st_uid, stat.st_gid);
        self.ids.map_or(shown, |maps| maps.in_container(shown))
    }

    /// The ids to tell the kernel for an owner on this side.
    ///
    /// # Errors
    /// `invalid` when the user namespace has no such id.
    pub fn kernel_ids(&self, (uid, gid): Owner) -> Result<(Uid, Gid)> {
        let found = self.ids.map_or(Some((uid, gid)), |maps| maps.on_host((uid, gid)));
        found.map(|(uid, gid)| (Uid::from_raw(uid), Gid::from_raw(gid))).ok_or_else(|| {
            Error::invalid(format!("the owner {uid}:{gid} has no id in the container's user namespace"))
                .hint("give another `owner`, or start the container with a map that has it")
        })
    }

    /// What is at `path`; a link is itself, unless `follow` or a slash at the end says otherwise.
    pub fn source(&self, path: &[u8], follow: bool) -> Result<Source> {
        let (parent, name) = split(path);
        let asserts_folder = path.last() == Some(&b'/') || name.is_none();
        let node = if follow || asserts_folder {
            self.open(path)
        } else {
            let name = name.unwrap_or_default();
            self.open(parent).and_then(|parent| Node::at(&parent, name))
        };
        let node = node.map_err(|errno| self.failed(path, errno))?;
        if asserts_folder && node.kind() != NodeKind::Folder {
            return Err(Error::invalid(format!("`{}` {} is no folder", shown(path), self.place)));
        }
        Ok(Source { node, name: name.map(<[u8]>::to_vec), path: path.to_vec() })
    }

    /// Where something copied to `path` goes: links are followed, inside the root.
    pub fn target(&self, path: &[u8]) -> Result<Target> {
        let mut path = path.to_vec();
        let asserts_folder = path.last() == Some(&b'/') || split(&path).1.is_none();
        for _ in 0..MOST_LINKS {
            let (parent, name) = split(&path);
            let Some(name) = name else {
                return self.folder(&path).map(Target::Folder);
            };
            let folder = self.folder(parent)?;
            let existing = match Node::at(&folder, name) {
                Err(Errno::ENOENT) => {
                    let name = name.to_vec();
                    return Ok(Target::Free { folder, name, must_be_folder: asserts_folder });
                }
                other => other.map_err(|errno| self.failed(&path, errno))?,
            };
            match existing.kind() {
                NodeKind::Folder => return Ok(Target::Folder(existing)),
                NodeKind::Symlink => {
                    let link = existing.link_target().map_err(|errno| self.failed(&path, errno))?;
                    // The kernel takes `parent/../x` step by step, so that text is what the link means.
                    path = if link.first() == Some(&b'/') { link } else { [parent, &link].join(&b'/') };
                }
                _ if asserts_folder => {
                    return Err(Error::invalid(format!("`{}` {} is no folder", shown(&path), self.place)));
                }
                _ => return Ok(Target::Taken { folder, name: name.to_vec(), existing }),
            }
        }
        Err(self.failed(&path, Errno::ELOOP))
    }

    /// What a path means, links followed.
    pub fn open(&self, path: &[u8]) -> nix::Result<Node> {
        let path = if path.is_empty() { Path::new("/") } else { Path::new(OsStr::from_bytes(path)) };
        self.root.open(path, OFlag::O_PATH).and_then(Node::of)
    }

    /// The folder at a path.
    pub fn folder(&self, path: &[u8]) -> Result<Node> {
        let node = self.open(path).map_err(|errno| self.failed(path, errno))?;
        match node.kind() {
            NodeKind::Folder => Ok(node),
            _ => Err(Error::invalid(format!("`{}` {} is no folder", shown(path), self.place))),
        }
    }

    /// What went wrong at a path.
    pub fn failed(&self, path: &[u8], errno: Errno) -> Error {
        match errno {
            Errno::ENOENT => Error::not_found(format!("there is no `{}` {}", shown(path), self.place)),
            Errno::ENOTDIR => {
                Error::invalid(format!("`{}` {} leads through what is no folder", shown(path), self.place))
            }
            Errno::ELOOP => Error::invalid(format!("`{}` {} leads through too many links", shown(path), self.place))
                .hint("links of `/proc` that lead elsewhere are not followed"),
            other => {
                let failed: nix::Result<()> = Err(other);
                let failed = failed.doing(|| format!("cannot open `{}` {}", shown(path), self.place));
                failed.err().unwrap_or_else(|| Error::new(ErrorKind::Io, "cannot open a path"))
            }
        }
    }
}

/// A path for a message.
pub fn shown(path: &[u8]) -> String {
    if path.is_empty() { "/".to_owned() } else { String::from_utf8_lossy(path).into_owned() }
}

/// Folder and last name of a path; no name when it ends with `.` or `..` or is the root.
pub fn split(path: &[u8]) -> (&[u8], Option<&[u8]>) {
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
    let trimmed = &path[..end];
    let start = trimmed.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    match &trimmed[start..] {
        b"" | b"." | b".." => (path, None),
        name => (&trimmed[..start], Some(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_apart_as_docker_does() {
        for (path, parent, name) in [
            ("/a/b", "/a/", Some("b")),
            ("/a/b/", "/a/", Some("b")),
            ("/a//", "/", Some("a")),
            ("a", "", Some("a")),
            ("/a/.", "/a/.", None),
            ("/a/..", "/a/..", None),
            ("/", "/", None),
            ("", "", None),
        ] {
            let (found_parent, found) = split(path.as_bytes());
            assert_eq!((found_parent, found), (parent.as_bytes(), name.map(str::as_bytes)), "{path}");
        }
    }
}
