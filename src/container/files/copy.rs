//! Copies files and folders into and out of a container, by the rules of `docker cp`.

use super::access::{Access, Purpose};
use super::copier::Copier;
use super::names;
use super::place::{Side, Source, Target, shown};
use crate::container::events;
use crate::container::row::Row;
use crate::context::Context;
use crate::error::{Error, IoContext, Result};
use crate::model::{CopyOptions, Owner};
use crate::runtime::rootfs::Root;
use crate::runtime::user;
use crate::store::Store;
use crate::sys::node::NodeKind;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Copies files of this machine, absolute paths, into a container.
///
/// # Errors
/// `not_found` when a source or the folder of the target is missing, `conflict` when a folder would replace a file or
/// a file a folder.
pub fn copy_to(
    store: &Store,
    cx: &Context,
    row: Row,
    sources: &[PathBuf],
    target: &str,
    options: &CopyOptions,
) -> Result<()> {
    let written: Vec<&[u8]> = sources.iter().map(|path| path.as_os_str().as_bytes()).collect();
    let host_root = host_root()?;
    let host = Side { root: &host_root, place: HOST, ids: None };
    let access = Access::open(store, cx, row.clone(), Purpose::Write)?;
    let owner = options.owner.as_deref().map(|owner| ids(&access.root, owner)).transpose()?;
    let inside = access.side();
    let _root = access.as_root()?;
    copy(cx, (&host, &written), (&inside, target.as_bytes()), options, owner)
        .and_then(|()| access.check())
        .map_err(|error| error.context(format!("copying into container `{}`", row.name)))?;
    events::record_with(store, &row, "extract-to-dir", &[("path", target)]);
    Ok(())
}

/// Copies files of a container to a place of this machine, an absolute path. Nothing is written outside of it, however
/// the container changes its files meanwhile.
///
/// # Errors
/// As [`copy_to`].
pub fn copy_from(
    store: &Store,
    cx: &Context,
    row: Row,
    sources: &[String],
    target: &Path,
    options: &CopyOptions,
) -> Result<()> {
    let written: Vec<&[u8]> = sources.iter().map(String::as_bytes).collect();
    let host_root = host_root()?;
    let host = Side { root: &host_root, place: HOST, ids: None };
    let owner = options.owner.as_deref().map(|owner| ids(&host_root, owner)).transpose()?;
    let access = Access::open(store, cx, row.clone(), Purpose::Read)?;
    let inside = access.side();
    copy(cx, (&inside, &written), (&host, target.as_os_str().as_bytes()), options, owner)
        .and_then(|()| access.check())
        .map_err(|error| error.context(format!("copying out of container `{}`", row.name)))?;
    events::record_with(store, &row, "archive-path", &[("path", &sources.join(","))]);
    Ok(())
}

const HOST: &str = "on this machine";

fn host_root() -> Result<Root> {
    Ok(Root::new(File::open("/").doing(|| "cannot open `/`")?.into()))
}

/// The ids of an owner, looked up in the files of the side that is copied to.
pub fn ids(root: &Root, owner: &str) -> Result<Owner> {
    let identity = user::resolve(root, owner, &[])?;
    Ok((identity.uid, identity.gid))
}

fn copy(
    cx: &Context,
    (from, written): (&Side<'_>, &[&[u8]]),
    (to, target): (&Side<'_>, &[u8]),
    options: &CopyOptions,
    owner: Option<Owner>,
) -> Result<()> {
    let mut paths = Vec::new();
    for written in written {
        if written.is_empty() {
            return Err(Error::invalid("the path to copy is empty"));
        }
        paths.extend(names::expand(from, written)?);
    }
    let several = paths.len() > 1;
    let target_path = target;
    let target = to.target(target_path)?;
    if several && !matches!(target, Target::Folder(_)) {
        return Err(Error::invalid(format!(
            "{} files are to be copied, and `{}` {} is no folder",
            paths.len(),
            shown(target_path),
            to.place
        ))
        .hint("make the folder first, or copy them one by one"));
    }
    let top = match &target {
        Target::Folder(folder) | Target::Taken { folder, .. } | Target::Free { folder, .. } => folder,
    };
    let mut copier = Copier::new(cx, (from, to), top, owner, options.mode)?;
    for path in paths {
        let source = from.source(&path, options.follow_links)?;
        place(&mut copier, &source, &target, (target_path, to.place))?;
    }
    Ok(())
}

/// The cases of `docker cp`'s documentation.
fn place(copier: &mut Copier<'_>, source: &Source, target: &Target, shown_target: (&[u8], &str)) -> Result<()> {
    let is_folder = source.node.kind() == NodeKind::Folder;
    let (path, side) = (shown(shown_target.0), shown_target.1);
    match target {
        Target::Folder(folder) => match &source.name {
            Some(name) => copier.copy(&source.node, folder, name),
            None => copier.copy_content(&source.node, folder),
        },
        Target::Taken { .. } if is_folder => Err(Error::conflict(format!(
            "the folder `{}` cannot replace the file `{path}` {side}",
            shown(&source.path)
        ))
        .hint("remove the file first, or choose another name")),
        Target::Free { must_be_folder: true, .. } if !is_folder => {
            Err(Error::not_found(format!("there is no folder `{path}` {side}"))
                .hint("make the folder first, or leave the slash at the end out"))
        }
        Target::Taken { folder, name, .. } | Target::Free { folder, name, .. } => {
            copier.copy(&source.node, folder, name)
        }
    }
}
