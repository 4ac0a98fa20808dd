//! Where what was selected goes in the image.

use super::{Item, Request, Selected, Selection, owner};
use crate::archive::member::{Member, MemberKind, Path as Inside, Time};
use crate::build::canvas::{Canvas, Source};
use crate::build::tree::Tree;
use crate::context::Context;
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;

/// Puts the selection on the canvas: a file to the target, or below it when that ends with a slash or is a folder; of a
/// folder, what is in it.
///
/// # Errors
/// `invalid` when a folder would take the place of a file.
pub fn place(canvas: &mut Canvas, request: &Request<'_>, selection: &Selection, cx: &Context) -> Result<()> {
    let (uid, gid) = request.owner.map_or(Ok((0, 0)), |owner| owner::ids(canvas, owner))?;
    canvas.set_new_folders(uid, gid);
    let target = canvas.resolve(request.target.as_bytes(), true)?;
    let into = request.target.ends_with('/')
        || selection.sources.len() + request.inline.len() > 1
        || target.as_bytes().is_empty()
        || canvas.kind(&target)? == Some(MemberKind::Directory);
    let mut place = Place { canvas, request, uid, gid, links: HashMap::new() };
    for source in &selection.sources {
        cx.check()?;
        place.source(source, &target, into, cx)?;
    }
    for (name, content) in request.inline {
        let path = if into { target.join(name.as_bytes()) } else { target.clone() };
        place.inline(path, content)?;
    }
    Ok(())
}

struct Place<'a> {
    canvas: &'a mut Canvas,
    request: &'a Request<'a>,
    uid: u32,
    gid: u32,
    /// Files with several names: device and inode, and the name that was copied first.
    links: HashMap<(u64, u64), Inside>,
}

impl Place<'_> {
    fn source(&mut self, source: &Selected, target: &Inside, into: bool, cx: &Context) -> Result<()> {
        let base = if !source.name.is_empty() && into { target.join(&source.name) } else { target.clone() };
        for item in &source.items {
            cx.check()?;
            let path = if item.path.as_bytes().is_empty() {
                base.clone()
            } else {
                crate::build::tree::components(item.path.as_bytes()).fold(base.clone(), |path, name| path.join(&name))
            };
            self.item(item, path)?;
        }
        Ok(())
    }

    fn item(&mut self, item: &Item, path: Inside) -> Result<()> {
        let is_folder = item.metadata.is_dir();
        if is_folder && (path.as_bytes().is_empty() || self.is_folder(&path)?) {
            // What is there keeps its attributes.
            return Ok(());
        }
        let Some(mut member) = self.request.tree.member(&item.entry(), path.clone())? else { return Ok(()) };
        if let Tree::Folder(_) = self.request.tree {
            (member.uid, member.gid) = (self.uid, self.gid);
        } else if self.request.owner.is_some() {
            (member.uid, member.gid) = (self.uid, self.gid);
        }
        self.finish(&mut member, is_folder);
        if item.metadata.nlink() > 1 && member.kind == MemberKind::File {
            let key = (item.metadata.dev(), item.metadata.ino());
            // A hard link has to come after what it links to, and members are in the order of names.
            if let Some(first) = self.links.get(&key).filter(|first| **first < path) {
                member.kind = MemberKind::HardLink(first.clone());
                member.size = 0;
                return self.canvas.add(member, Source::Nothing);
            }
            self.links.insert(key, path);
        }
        let source = match (&member.kind, item.digest) {
            (MemberKind::File, Some(digest)) => Source::Known(item.host.clone(), digest),
            (MemberKind::File, None) => Source::File(item.host.clone()),
            _ => Source::Nothing,
        };
        self.canvas.add(member, source)
    }

    fn inline(&mut self, path: Inside, content: &[u8]) -> Result<()> {
        let mut member = super::super::canvas::ours(path, MemberKind::File, 0o644, content.len() as u64);
        (member.uid, member.gid) = (self.uid, self.gid);
        self.finish(&mut member, false);
        self.canvas.add(member, Source::Bytes(content.to_vec()))
    }

    fn finish(&self, member: &mut Member, is_folder: bool) {
        if let Some(seconds) = self.request.epoch {
            member.mtime = Time { seconds, nanoseconds: 0 };
        }
        let is_link = matches!(member.kind, MemberKind::Symlink(_));
        if let Some(chmod) =
            self.request.chmod.as_ref().filter(|_| !is_link && (!is_folder || self.request.chmod_folders))
        {
            member.mode = chmod.apply(member.mode, is_folder);
        }
    }

    fn is_folder(&self, path: &Inside) -> Result<bool> {
        match self.canvas.kind(path)? {
            Some(MemberKind::Directory) => Ok(true),
            None => Ok(false),
            Some(_) => {
                Err(Error::invalid(format!("a folder cannot be copied to `/{path}`, which is none in the image")))
            }
        }
    }
}
