//! One file or folder that is copied.

use crate::archive::member::{MemberKind, Path as Inside};
use crate::build::tree::{Entry, Tree};
use crate::error::Result;
use sha2::{Digest as _, Sha256};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// A file or folder in a tree.
pub struct Item {
    /// Its path below what was named; empty for that itself.
    pub path: Inside,
    /// Where it is on this machine.
    pub host: PathBuf,
    /// What it is.
    pub metadata: Metadata,
    /// SHA-256 of a regular file, once it was looked at.
    pub digest: Option<[u8; 32]>,
}

impl Item {
    /// What a tree has.
    pub fn new(path: Inside, entry: Entry) -> Self {
        Self { path, host: entry.host, metadata: entry.metadata, digest: None }
    }

    /// As an entry of its tree.
    pub fn entry(&self) -> Entry {
        Entry { host: self.host.clone(), metadata: self.metadata.clone() }
    }

    /// Adds what a layer depends on.
    pub fn hash_into(&self, tree: &Tree, hasher: &mut Sha256) -> Result<()> {
        hasher.update(self.path.as_bytes().len().to_le_bytes());
        hasher.update(self.path.as_bytes());
        hasher.update(self.metadata.mode().to_le_bytes());
        match (&self.digest, tree) {
            // What most files are: nothing more of them goes into a layer.
            (Some(digest), Tree::Folder(_)) => hasher.update(digest),
            (digest, _) => {
                if let Some(digest) = digest {
                    hasher.update(digest);
                }
                if self.metadata.is_dir() && matches!(tree, Tree::Folder(_)) {
                    return Ok(());
                }
                if let Some(member) = tree.member(&self.entry(), self.path.clone())? {
                    if let MemberKind::Symlink(_) | MemberKind::CharDevice(_) | MemberKind::BlockDevice(_) = member.kind
                    {
                        hasher.update(format!("{:?}", member.kind));
                    }
                    if !member.xattrs.is_empty() {
                        hasher.update(format!("{:?}", member.xattrs));
                    }
                    if let Tree::Layers(_) = tree {
                        hasher.update(format!("{} {}", member.uid, member.gid));
                    }
                }
            }
        }
        Ok(())
    }
}
