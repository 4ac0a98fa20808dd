//! Where `COPY` takes files from: the build context, another stage, an image. Paths never lead out of it.

mod folder;
mod layers;

pub use folder::FolderTree;
pub use layers::LayersTree;

use crate::archive::member::{Member, MemberKind, Path as Inside};
use crate::archive::member_of;
use crate::error::{Error, Result};
use crate::model::Digest;
use std::collections::VecDeque;
use std::fs::Metadata;
use std::path::PathBuf;
use std::sync::Arc;

/// Files to copy from. Cheap to clone.
#[derive(Clone)]
pub enum Tree {
    /// A folder of this machine, without what its ignore file names.
    Folder(Arc<FolderTree>),
    /// Layers over each other.
    Layers(Arc<LayersTree>),
}

/// Something in a tree.
pub struct Entry {
    /// Where it is on this machine.
    pub host: PathBuf,
    /// What it is; a link is itself.
    pub metadata: Metadata,
}

/// As many links as the kernel follows in one path (path_resolution(7)).
pub const MAX_LINKS: usize = 40;

impl Tree {
    /// What has this path, links not followed.
    pub fn entry(&self, path: &Inside) -> Result<Option<Entry>> {
        match self {
            Self::Folder(tree) => tree.entry(path),
            Self::Layers(tree) => tree.entry(path),
        }
    }

    /// What is in the folder with this path, in the order of bytes.
    pub fn names(&self, path: &Inside) -> Result<Vec<Vec<u8>>> {
        match self {
            Self::Folder(tree) => tree.names(path),
            Self::Layers(tree) => tree.names(path),
        }
    }

    /// Whether its content is known by name: layers do not change.
    pub fn identity(&self) -> Option<&Digest> {
        match self {
            Self::Folder(_) => None,
            Self::Layers(tree) => tree.chain(),
        }
    }

    /// Where a path leads, its links followed inside the tree.
    pub fn resolve(&self, path: &[u8]) -> Result<Inside> {
        resolve(path, true, &mut |path| {
            let Some(entry) = self.entry(path)?.filter(|entry| entry.metadata.is_symlink()) else { return Ok(None) };
            Ok(member_of(&entry.host, path.clone())?.map(|member| member.kind))
        })
    }

    /// The member that a tar would have of an entry; `None` for a socket.
    pub fn member(&self, entry: &Entry, path: Inside) -> Result<Option<Member>> {
        let Some(mut member) = member_of(&entry.host, path)? else { return Ok(None) };
        if let Self::Layers(_) = self {
            super::canvas::take_attributes(&mut member, &entry.host)?;
        }
        Ok(Some(member))
    }
}

/// Where a path leads, its links followed, the last one only when `follow`. What is not there stays as it is written.
/// `kind` tells what has a path without links.
pub fn resolve(
    path: &[u8],
    follow: bool,
    kind: &mut dyn FnMut(&Inside) -> Result<Option<MemberKind>>,
) -> Result<Inside> {
    let mut todo: VecDeque<Vec<u8>> = components(path).collect();
    let mut real: Vec<Vec<u8>> = Vec::new();
    let mut links = 0;
    while let Some(component) = todo.pop_front() {
        if component == b".." {
            real.pop();
            continue;
        }
        real.push(component);
        if todo.is_empty() && !follow {
            break;
        }
        let Some(MemberKind::Symlink(target)) = kind(&join(&real))? else { continue };
        links += 1;
        if links > MAX_LINKS {
            let path = String::from_utf8_lossy(path);
            return Err(Error::invalid(format!("`{path}` leads through too many links of the image")));
        }
        real.pop();
        if target.starts_with(b"/") {
            real.clear();
        }
        for component in components(&target).collect::<Vec<_>>().into_iter().rev() {
            todo.push_front(component);
        }
    }
    Ok(join(&real))
}

/// Components of a path, without empty ones and `.`.
pub fn components(path: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    path.split(|byte| *byte == b'/').filter(|name| !matches!(*name, b"" | b".")).map(<[u8]>::to_vec)
}

/// The path of components.
pub fn join(components: &[Vec<u8>]) -> Inside {
    components.iter().fold(Inside::default(), |path, component| path.join(component))
}
