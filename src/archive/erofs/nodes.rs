//! The tree of an index, in memory while its tar goes by.

use super::xattrs;
use crate::archive::member::{Member, Path, Time};
use crate::archive::reader::TarReader;
use crate::archive::target::Target;
use crate::archive::whiteout::OPAQUE_XATTR;
use crate::context::Context;
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::io::BufRead;

/// Number of a node.
pub(super) type NodeId = u32;
pub(super) const ROOT: NodeId = 0;

/// Bytes of a name in EROFS, as in every other file system of Linux.
const MAX_NAME: usize = 255;
/// Some 300 bytes of memory each: a larger tar is unpacked.
const MAX_NODES: usize = 150_000;

/// What a tar says, as a tree.
pub struct Index {
    pub(super) nodes: Vec<Node>,
    /// The folder that was found last, and its path.
    pub(super) last: (Vec<u8>, NodeId),
    /// Why it cannot be written; what comes after is not looked at.
    unfit: bool,
    /// Bytes of the tar, once it is known.
    pub(super) tar_size: u64,
}

/// Something with an inode.
pub(super) struct Node {
    pub kind: NodeKind,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub mtime: Time,
    /// Names of it; folders have one.
    pub links: u32,
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

pub(super) enum NodeKind {
    Folder {
        names: BTreeMap<Box<[u8]>, NodeId>,
        parent: NodeId,
    },
    File {
        size: u64,
        offset: u64,
    },
    Symlink(Box<[u8]>),
    /// `S_IFCHR` or `S_IFBLK`, as the kernel takes device numbers.
    Device(u32, u32),
    Fifo,
}

impl Node {
    fn new(kind: NodeKind, member: &Member) -> Self {
        Self {
            kind,
            mode: member.mode & 0o7777,
            uid: member.uid,
            gid: member.gid,
            mtime: member.mtime,
            links: 1,
            xattrs: BTreeMap::new(),
        }
    }

    fn folder(parent: NodeId, mode: u32, mtime: Time) -> Self {
        let kind = NodeKind::Folder { names: BTreeMap::new(), parent };
        Self { kind, mode, uid: 0, gid: 0, mtime, links: 1, xattrs: BTreeMap::new() }
    }

    pub fn is_folder(&self) -> bool {
        matches!(self.kind, NodeKind::Folder { .. })
    }

    fn is_whiteout(&self) -> bool {
        matches!(self.kind, NodeKind::Device(libc::S_IFCHR, 0))
    }

    fn set_xattr(&mut self, name: &[u8], value: &[u8]) {
        self.xattrs.insert(name.to_vec(), value.to_vec());
    }
}

impl Index {
    pub(super) fn new() -> Self {
        let root = Node::folder(ROOT, 0o755, Time::default());
        Self { nodes: vec![root], last: (Vec::new(), ROOT), unfit: false, tar_size: 0 }
    }

    /// The index of a tar of so many bytes, unless there is something that it cannot hold.
    pub(super) fn fit(mut self, tar_size: u64) -> Option<Self> {
        self.tar_size = tar_size;
        (!self.unfit).then_some(self)
    }

    pub(super) fn get(&self, id: NodeId) -> &Node {
        &self.nodes[id as usize]
    }

    fn get_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id as usize]
    }

    pub(super) fn child(&self, folder: NodeId, name: &[u8]) -> Option<NodeId> {
        match &self.get(folder).kind {
            NodeKind::Folder { names, .. } => names.get(name).copied(),
            _ => None,
        }
    }

    /// A folder that no member has made.
    pub(super) fn implied_folder(&mut self, parent: NodeId, name: &[u8], time: Time) -> Result<NodeId> {
        self.insert(parent, name, Node::folder(parent, 0o755, time))
    }

    /// Adds a node under a name that is free.
    fn insert(&mut self, parent: NodeId, name: &[u8], node: Node) -> Result<NodeId> {
        let id = self.nodes.len() as NodeId;
        self.link(parent, name, id)?;
        self.nodes.push(node);
        self.unfit |= self.nodes.len() > MAX_NODES;
        Ok(id)
    }

    fn link(&mut self, parent: NodeId, name: &[u8], id: NodeId) -> Result<()> {
        if name.len() > MAX_NAME {
            return Err(nowhere("a name is longer than 255 bytes"));
        }
        match &mut self.get_mut(parent).kind {
            NodeKind::Folder { names, .. } => drop(names.insert(name.into(), id)),
            _ => return Err(nowhere("it goes through a file")),
        }
        Ok(())
    }

    /// Adds a node; what had the name before goes away.
    fn place(&mut self, parent: &[u8], name: &[u8], node: Node, member: &Member) -> Result<()> {
        if self.unfit {
            return Ok(());
        }
        let parent = self.folder(parent, member.mtime)?;
        self.remove(parent, name);
        let id = self.insert(parent, name, node)?;
        self.set_attributes(id, member)
    }

    fn remove(&mut self, parent: NodeId, name: &[u8]) {
        let NodeKind::Folder { names, .. } = &mut self.get_mut(parent).kind else { return };
        let Some(id) = names.remove(name) else { return };
        let mut gone = vec![id];
        while let Some(id) = gone.pop() {
            let node = self.get_mut(id);
            node.links -= 1;
            if let NodeKind::Folder { names, .. } = &mut node.kind {
                gone.extend(std::mem::take(names).into_values());
            }
        }
        if matches!(self.get(id).kind, NodeKind::Folder { .. } | NodeKind::Symlink(_)) {
            self.last = (Vec::new(), ROOT);
        }
    }

    fn set_attributes(&mut self, id: NodeId, member: &Member) -> Result<()> {
        if member.xattrs.is_empty() {
            return Ok(());
        }
        let node = &mut self.nodes[id as usize];
        for (name, value) in &member.xattrs {
            xattrs::set(node, name, value)?;
        }
        self.unfit |= !xattrs::fit(node);
        Ok(())
    }
}

impl Target for Index {
    fn root_directory(&mut self, member: &Member) -> Result<()> {
        let root = self.get_mut(ROOT);
        (root.mode, root.uid, root.gid) = (member.mode & 0o7777, member.uid, member.gid);
        root.mtime = member.mtime;
        self.set_attributes(ROOT, member)
    }

    fn directory(&mut self, parent: &[u8], name: &[u8], member: &Member) -> Result<()> {
        if self.unfit {
            return Ok(());
        }
        let parent = self.folder(parent, member.mtime)?;
        let existing = self.child(parent, name);
        let id = match existing {
            Some(id) if self.get(id).is_folder() => {
                let node = self.get_mut(id);
                (node.mode, node.uid, node.gid) = (member.mode & 0o7777, member.uid, member.gid);
                node.mtime = member.mtime;
                id
            }
            _ => {
                // Its whiteout came first: what is below the new folder stays hidden.
                let opaque = existing.is_some_and(|id| self.get(id).is_whiteout());
                self.remove(parent, name);
                let kind = NodeKind::Folder { names: BTreeMap::new(), parent };
                let id = self.insert(parent, name, Node::new(kind, member))?;
                if opaque {
                    self.get_mut(id).set_xattr(OPAQUE_XATTR.to_bytes(), b"y");
                }
                id
            }
        };
        self.set_attributes(id, member)
    }

    fn file(
        &mut self,
        parent: &[u8],
        name: &[u8],
        member: &Member,
        reader: &mut TarReader<impl BufRead>,
        _cx: &Context,
    ) -> Result<()> {
        let kind = NodeKind::File { size: member.size, offset: reader.position() };
        self.place(parent, name, Node::new(kind, member), member)
    }

    fn symlink(&mut self, parent: &[u8], name: &[u8], target: &[u8], member: &Member) -> Result<()> {
        let mut node = Node::new(NodeKind::Symlink(target.into()), member);
        node.mode = 0o777;
        self.place(parent, name, node, member)
    }

    fn hard_link(&mut self, parent: &[u8], name: &[u8], target: &Path, member: &Member) -> Result<()> {
        if self.unfit {
            return Ok(());
        }
        let lost = || Error::corrupt(format!("the archive is damaged: its hard link to `{target}` leads nowhere"));
        let (target_parent, target_name) = target.split().ok_or_else(lost)?;
        let from = self.find(target_parent).ok_or_else(lost)?;
        let parent = self.folder(parent, member.mtime)?;
        let id = self.child(from, target_name).filter(|id| !self.get(*id).is_folder()).ok_or_else(lost)?;
        self.remove(parent, name);
        // The name may have been its own, or that of a folder with it.
        if self.get(id).links == 0 {
            return Err(lost());
        }
        self.link(parent, name, id)?;
        self.get_mut(id).links += 1;
        Ok(())
    }

    fn node(&mut self, parent: &[u8], name: &[u8], kind: u32, device: u64, member: &Member) -> Result<()> {
        let kind = match kind {
            libc::S_IFIFO => NodeKind::Fifo,
            // The kernel's own form of the number is its lower half.
            kind => NodeKind::Device(kind, device as u32),
        };
        self.place(parent, name, Node::new(kind, member), member)
    }

    fn whiteout(&mut self, parent: &[u8], name: &[u8], member: &Member) -> Result<()> {
        if self.unfit {
            return Ok(());
        }
        let parent = self.folder(parent, member.mtime)?;
        match self.child(parent, name) {
            Some(id) if self.get(id).is_folder() => self.get_mut(id).set_xattr(OPAQUE_XATTR.to_bytes(), b"y"),
            Some(_) => {}
            None => {
                let kind = NodeKind::Device(libc::S_IFCHR, 0);
                let mut node = Node::new(kind, member);
                (node.mode, node.uid, node.gid) = (0, 0, 0);
                self.insert(parent, name, node)?;
            }
        }
        Ok(())
    }

    fn opaque(&mut self, folder: &[u8], member: &Member) -> Result<()> {
        if self.unfit {
            return Ok(());
        }
        let id = self.folder(folder, member.mtime)?;
        self.get_mut(id).set_xattr(OPAQUE_XATTR.to_bytes(), b"y");
        Ok(())
    }
}

pub(super) fn nowhere(why: &str) -> Error {
    Error::corrupt(format!("the archive is damaged: its path leads nowhere ({why})"))
}
