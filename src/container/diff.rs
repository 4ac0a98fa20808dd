//! What a container changed of its image, read from overlayfs's upper directory.

use super::row::Row;
use super::{changes, lookup};
use crate::archive::member::Path as Inside;
use crate::archive::{Limits, MAX_DEPTH, Seen, View, whiteout};
use crate::context::Context;
use crate::error::{Error, IoContext, Result};
use crate::model::{ChangeKind, FileChange, IdMaps};
use crate::store::Store;
use crate::sys::node::{Node, NodeKind};
use crate::sys::{ownership, xattr};
use nix::errno::Errno;
use std::ffi::CString;
use std::os::unix::fs::MetadataExt;

/// The changes, in the order of paths. A folder is changed when something in it is; of a folder that was deleted only
/// the folder is told.
pub fn diff(store: &Store, cx: &Context, row: &Row) -> Result<Vec<FileChange>> {
    let Some(upper) = changes::upper(store, row)? else { return Err(lookup::not_found(&row.name, &[])) };
    let _layers = store.use_layers(&row.plan.layers)?;
    let mut diff = Diff {
        cx,
        below: View::new(row.plan.layers.clone()),
        hidden: changes::hidden(),
        maps: row.plan.mapped.as_ref().map(|mapped| &mapped.maps),
        found: Vec::new(),
    };
    diff.folder(&upper, &Inside::default(), false, 0)?;
    let mut changes: Vec<FileChange> = diff.found;
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(changes)
}

struct Diff<'a> {
    cx: &'a Context,
    below: View,
    hidden: Vec<Inside>,
    /// Whose ids its changes have; `None`: their own.
    maps: Option<&'a IdMaps>,
    found: Vec<FileChange>,
}

/// What came of a folder.
#[derive(Default)]
struct Content {
    /// Something in it is changed.
    changed: bool,
    /// Something in it is the runtime's, so its time says nothing.
    hidden: bool,
}

impl Diff<'_> {
    /// `hides`: nothing of the layers below shows in it.
    fn folder(&mut self, folder: &Node, inside: &Inside, hides: bool, depth: usize) -> Result<Content> {
        self.cx.check()?;
        if depth > MAX_DEPTH {
            return Err(Error::invalid(format!("`/{inside}`: more than {MAX_DEPTH} folders are inside each other")));
        }
        let doing = || format!("cannot read `/{inside}`");
        let most = usize::try_from(Limits::default().entries).unwrap_or(usize::MAX);
        let names = folder.names(most).doing(doing)?;
        let names = names.ok_or_else(|| Error::invalid(format!("{}: it has more than {most} names", doing())))?;
        let mut content = Content::default();
        for name in &names {
            let path = inside.join(name);
            if self.hidden.contains(&path) {
                content.hidden = true;
                continue;
            }
            match Node::at(folder, name) {
                Err(Errno::ENOENT) => {}
                node => content.changed |= self.entry(&node.doing(doing)?, &path, hides, depth)?,
            }
        }
        Ok(content)
    }

    /// Whether something is changed.
    fn entry(&mut self, node: &Node, path: &Inside, hides: bool, depth: usize) -> Result<bool> {
        let below = if hides { None } else { self.below.look(path)? };
        if node.is_whiteout() {
            return Ok(below.is_some_and(|_| self.add(path, ChangeKind::Deleted)));
        }
        if node.kind() != NodeKind::Folder {
            let kind = if below.is_some() { ChangeKind::Changed } else { ChangeKind::Added };
            return Ok(self.add(path, kind));
        }
        let below = below.filter(|below| below.metadata.is_dir());
        let attributes = node.xattrs().doing(|| format!("cannot read `/{path}`"))?;
        let is_opaque = whiteout::is_opaque(&attributes);
        let mut replaced = false;
        if is_opaque && below.is_some() {
            replaced = self.deleted_in(node, path)?;
        }
        let content = self.folder(node, path, hides || is_opaque || below.is_none(), depth + 1)?;
        let Some(below) = below else {
            // A folder that was made for what the runtime mounts, and for nothing else.
            let is_ours = content.hidden && !content.changed;
            let kind = if self.below_has(path, hides)? { ChangeKind::Changed } else { ChangeKind::Added };
            return Ok(!is_ours && self.add(path, kind));
        };
        if content.changed || replaced || self.is_changed(node, &attributes, &below, content.hidden)? {
            return Ok(self.add(path, ChangeKind::Changed));
        }
        Ok(false)
    }

    /// Whether the layers below have something else than a folder there.
    fn below_has(&self, path: &Inside, hides: bool) -> Result<bool> {
        Ok(!hides && self.below.look(path)?.is_some())
    }

    /// Tells what an opaque folder no longer has of the layers below.
    fn deleted_in(&mut self, node: &Node, path: &Inside) -> Result<bool> {
        let mut any = false;
        for name in self.below.names(path)? {
            if matches!(Node::at(node, &name), Err(Errno::ENOENT)) {
                any |= self.add(&path.join(&name), ChangeKind::Deleted);
            }
        }
        Ok(any)
    }

    fn add(&mut self, path: &Inside, kind: ChangeKind) -> bool {
        self.found.push(FileChange { path: format!("/{path}"), kind });
        true
    }

    /// Whether a folder itself differs: owner, mode, and, unless the runtime made something in it, its time.
    fn is_changed(&self, node: &Node, attributes: &Attributes, below: &Seen, ignore_time: bool) -> Result<bool> {
        let (now, before) = (node.stat(), &below.metadata);
        let kept = (now.st_uid, now.st_gid);
        let owner =
            ownership::recorded(attributes).unwrap_or_else(|| self.maps.map_or(kept, |maps| maps.in_container(kept)));
        let attributes = xattr::list(&below.host).doing(|| format!("cannot read `{}`", below.host.display()))?;
        let owner_before = ownership::recorded(&attributes).unwrap_or((before.uid(), before.gid()));
        Ok((owner, now.st_mode) != (owner_before, before.mode())
            || !ignore_time && (now.st_mtime, now.st_mtime_nsec) != (before.mtime(), before.mtime_nsec()))
    }
}

type Attributes = [(CString, Vec<u8>)];
