//! What a source means: a path or a pattern in a tree.

use super::walk::{self, Folder, Place};
use super::{Item, Request, Selected};
use crate::archive::member::Path as Inside;
use crate::build::tree::{Entry, Tree, components, join};
use crate::context::Context;
use crate::dockerfile::wildcard;
use crate::error::{Error, Result};

/// Files and folders that a source means. A pattern may mean none.
pub fn select(request: &Request<'_>, source: &str, cx: &Context) -> Result<Vec<Selected>> {
    let tree = request.tree;
    let (pivot, below) = split_at_pivot(source, request.parents);
    let parts = inside(&format!("{pivot}/{below}"));
    let kept = if request.parents { inside(below).len() } else { 0 };
    let mut selected = Vec::new();
    for path in expand(tree, &parts)? {
        let written = path.clone();
        let real = tree.resolve(join(&written).as_bytes())?;
        let Some(entry) = tree.entry(&real)? else {
            // What a pattern has found is there: a link that leads nowhere is none.
            if parts.iter().any(|part| wildcard::is_pattern(part)) {
                continue;
            }
            return Err(missing(tree, source, &real));
        };
        let is_folder = entry.metadata.is_dir();
        let mut items = Vec::new();
        walk(request, &real, entry, &mut items, cx)?;
        if request.parents {
            let prefix = &written[written.len() - kept.min(written.len())..];
            selected.push(with_parents(tree, &written[..written.len() - prefix.len()], prefix, items)?);
            continue;
        }
        let name = if is_folder { Vec::new() } else { written.last().cloned().unwrap_or_default() };
        selected.push(Selected { name, items });
    }
    Ok(selected)
}

/// With `--parents` only what follows `/./` is kept of a path (Dockerfile reference, "COPY --parents").
fn split_at_pivot(source: &str, parents: bool) -> (&str, &str) {
    match source.find("/./").filter(|_| parents) {
        Some(at) => (&source[..at], &source[at + 3..]),
        None => ("", source),
    }
}

/// The components of a path that begins at the root of its tree and does not leave it.
fn inside(path: &str) -> Vec<Vec<u8>> {
    let mut inside = Vec::new();
    for component in components(path.as_bytes()) {
        if component == b".." {
            inside.pop();
        } else {
            inside.push(component);
        }
    }
    inside
}

/// The paths that a pattern means, in order. One without special characters means itself, there or not.
fn expand(tree: &Tree, parts: &[Vec<u8>]) -> Result<Vec<Vec<Vec<u8>>>> {
    let mut found: Vec<Vec<Vec<u8>>> = vec![Vec::new()];
    for part in parts {
        if !wildcard::is_pattern(part) {
            for path in &mut found {
                path.push(part.clone());
            }
            continue;
        }
        let mut next = Vec::new();
        for folder in found {
            let real = tree.resolve(join(&folder).as_bytes())?;
            let is_folder = tree.entry(&real)?.is_some_and(|entry| entry.metadata.is_dir());
            let deep = part.as_slice() == b"**";
            if !is_folder {
                continue;
            }
            if deep {
                below(tree, &folder, &real, &mut next)?;
                continue;
            }
            for name in tree.names(&real)? {
                if wildcard::matches(part, &name)? {
                    next.push([&folder[..], &[name]].concat());
                }
            }
        }
        // What follows a pattern has to be there: `*/name` does not mean folders without one.
        found = next;
    }
    if parts.iter().any(|part| wildcard::is_pattern(part)) {
        let mut there = Vec::with_capacity(found.len());
        for path in found {
            if tree.entry(&tree.resolve(join(&path).as_bytes())?)?.is_some() {
                there.push(path);
            }
        }
        found = there;
    }
    Ok(found)
}

/// A folder and all folders below it: what `**` means.
fn below(tree: &Tree, written: &[Vec<u8>], real: &Inside, found: &mut Vec<Vec<Vec<u8>>>) -> Result<()> {
    found.push(written.to_vec());
    for name in tree.names(real)? {
        let path = real.join(&name);
        if tree.entry(&path)?.is_some_and(|entry| entry.metadata.is_dir()) {
            below(tree, &[written, &[name]].concat(), &path, found)?;
        }
    }
    Ok(())
}

fn missing(tree: &Tree, source: &str, real: &Inside) -> Error {
    let error = Error::not_found(format!("`{source}` is not there"));
    match tree {
        Tree::Folder(folder) if folder.ignore().is_some() && matches!(folder.entry_of_all(real), Ok(Some(_))) => {
            error.hint("the ignore file leaves it out: add a line with `!` to it")
        }
        Tree::Folder(folder) => error.hint(format!("sources are found in the context `{}`", folder.root().display())),
        Tree::Layers(_) => error,
    }
}

/// The folders that an item keeps around itself.
fn with_parents(tree: &Tree, above: &[Vec<u8>], prefix: &[Vec<u8>], items: Vec<Item>) -> Result<Selected> {
    let mut all = Vec::new();
    for length in 1..prefix.len() {
        let real = tree.resolve(join(&[above, &prefix[..length]].concat()).as_bytes())?;
        if let Some(entry) = tree.entry(&real)? {
            all.push(Item::new(join(&prefix[..length]), entry));
        }
    }
    let prefix = join(prefix);
    for mut item in items {
        item.path = components(item.path.as_bytes()).fold(prefix.clone(), |path, name| path.join(&name));
        all.push(item);
    }
    Ok(Selected { name: Vec::new(), items: all })
}

/// Adds an entry and what is in it.
fn walk(request: &Request<'_>, real: &Inside, entry: Entry, items: &mut Vec<Item>, cx: &Context) -> Result<()> {
    let is_folder = entry.metadata.is_dir();
    let host = entry.host.clone();
    let name = real.split().map(|(_, name)| name.to_vec()).unwrap_or_default();
    if !is_folder {
        let left_out = request.exclude.is_some_and(|exclude| exclude.is_ignored(&name));
        if !left_out {
            items.push(Item::new(Inside::default(), entry));
        }
        return Ok(());
    }
    items.push(Item::new(Inside::default(), entry));
    match request.tree {
        Tree::Folder(tree) => {
            let folder = Folder {
                host,
                real: real.clone(),
                path: Inside::default(),
                place: Place::new(tree.ignore(), request.exclude, real),
            };
            walk::walk(&folder, items, cx)
        }
        Tree::Layers(_) => walk_layers(request, real, &Inside::default(), items, cx),
    }
}

fn walk_layers(request: &Request<'_>, real: &Inside, path: &Inside, items: &mut Vec<Item>, cx: &Context) -> Result<()> {
    cx.check()?;
    for name in request.tree.names(real)? {
        let (inside, below) = (real.join(&name), path.join(&name));
        let Some(entry) = request.tree.entry(&inside)? else { continue };
        let is_folder = entry.metadata.is_dir();
        let excluded = request.exclude.filter(|exclude| exclude.is_ignored(below.as_bytes()));
        let descend = excluded.is_none_or(|exclude| is_folder && exclude.may_hold_exceptions(below.as_bytes()));
        if !descend {
            continue;
        }
        let at = items.len();
        items.push(Item::new(below.clone(), entry));
        if is_folder {
            walk_layers(request, &inside, &below, items, cx)?;
            if excluded.is_some() && items.len() == at + 1 {
                items.pop();
            }
        }
    }
    Ok(())
}
