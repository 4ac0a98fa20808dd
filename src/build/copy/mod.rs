//! `COPY` and `.copy()`: which files are meant, what they are, and where they go.

mod chmod;
mod digests;
mod items;
mod owner;
mod place;
mod select;
mod walk;

pub use chmod::Chmod;
pub use digests::{Digests, digest_of, open};
pub use items::Item;
pub use owner::ids;
pub use place::place;

use super::tree::Tree;
use crate::context::Context;
use crate::dockerfile::ignore::Ignore;
use crate::error::{Error, Result};
use sha2::{Digest as _, Sha256};

/// Files to be copied, and how.
#[derive(Clone)]
pub struct Request<'a> {
    /// From where.
    pub tree: &'a Tree,
    /// Paths or patterns in it.
    pub sources: &'a [String],
    /// Files that stand in the Dockerfile itself: name and content.
    pub inline: &'a [(String, Vec<u8>)],
    /// Absolute path in the image; one that ends with `/` is a folder.
    pub target: &'a str,
    /// `user:group`, ids or names of the image; `None`: root.
    pub owner: Option<&'a str>,
    /// What the modes become.
    pub chmod: Option<Chmod>,
    /// The mode is for folders, too.
    pub chmod_folders: bool,
    /// What is left out, relative to each source.
    pub exclude: Option<&'a Ignore>,
    /// The folders that a source is in are made, too.
    pub parents: bool,
    /// What every time becomes, seconds since 1970; `None`: it is kept.
    pub epoch: Option<i64>,
}

/// What a request comes to, before it is known where it goes.
pub struct Selection {
    /// One for each file or folder that a source means.
    pub sources: Vec<Selected>,
}

/// A file or folder that a source means.
pub struct Selected {
    /// Its name; that of a folder whose content is meant is empty.
    pub name: Vec<u8>,
    /// What it is and holds, a folder before what is in it.
    pub items: Vec<Item>,
}

/// Finds the files.
///
/// # Errors
/// `not_found` when a source without wildcards means nothing.
pub fn select(request: &Request<'_>, cx: &Context) -> Result<Selection> {
    let mut sources = Vec::new();
    for source in request.sources {
        sources.extend(select::select(request, source, cx)?);
    }
    if sources.is_empty() && request.inline.is_empty() && !request.sources.is_empty() {
        let patterns: Vec<_> = request.sources.iter().map(|source| format!("`{source}`")).collect();
        return Err(Error::not_found(format!("no file matches {}", patterns.join(", "))));
    }
    Ok(Selection { sources })
}

impl Selection {
    /// What the layer depends on: names, kinds, modes and content, not times. Fills in the digests of files.
    pub fn digest(&mut self, request: &Request<'_>, digests: &Digests, cx: &Context) -> Result<Vec<u8>> {
        let mut items: Vec<&mut Item> = self.sources.iter_mut().flat_map(|source| &mut source.items).collect();
        digests.fill(&mut items, request.tree, cx)?;
        let mut hasher = Sha256::new();
        for source in &self.sources {
            hasher.update(source.name.len().to_le_bytes());
            hasher.update(&source.name);
            hasher.update(source.items.len().to_le_bytes());
            for item in &source.items {
                item.hash_into(request.tree, &mut hasher)?;
            }
        }
        for (name, content) in request.inline {
            hasher.update(name.len().to_le_bytes());
            hasher.update(name);
            hasher.update(content.len().to_le_bytes());
            hasher.update(content);
        }
        Ok(hasher.finalize().to_vec())
    }
}

impl<'a> Request<'a> {
    /// Sources as they are: owned by root, with their own modes.
    pub fn plain(tree: &'a Tree, sources: &'a [String], target: &'a str, epoch: Option<i64>) -> Self {
        Self {
            tree,
            sources,
            inline: &[],
            target,
            owner: None,
            chmod: None,
            chmod_folders: false,
            exclude: None,
            parents: false,
            epoch,
        }
    }

    /// What it is besides the files.
    pub fn describe(&self) -> String {
        let Self { target, owner, chmod, chmod_folders, parents, epoch, .. } = self;
        format!("{target:?} {owner:?} {chmod:?} {chmod_folders} {parents} {epoch:?}")
    }
}
