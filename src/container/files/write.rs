//! Writes one file of a container.

use super::access::{Access, Purpose};
use super::content::Temporary;
use super::copier::{mounted_file, own};
use super::copy::ids;
use super::place::{Side, Target};
use crate::container::row::Row;
use crate::context::Context;
use crate::error::{Error, IoContext, Result};
use crate::model::{Owner, WriteOptions};
use crate::store::Store;
use crate::sys::node::{Node, NodeKind};
use crate::sys::ownership;
use nix::fcntl::OFlag;
use nix::sys::stat::{Mode, fchmod};
use nix::unistd::{Gid, Uid};
use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;

/// Of files that are made.
const NEW_MODE: u32 = 0o644;

/// Replaces what a file holds in one step, or makes the file; links are followed inside the container.
///
/// # Errors
/// `not_found` when its folder is missing, `invalid` when there is something else than a regular file.
pub fn write_file(
    store: &Store,
    cx: &Context,
    row: Row,
    path: &str,
    content: &[u8],
    options: &WriteOptions,
) -> Result<()> {
    let name = row.name.clone();
    let access = Access::open(store, cx, row, Purpose::Write)?;
    let owner = options.owner.as_deref().map(|owner| ids(&access.root, owner)).transpose()?;
    let _root = access.as_root()?;
    write(&access.side(), path, content, options, owner)
        .map_err(|error| error.context(format!("writing into container `{name}`")))
}

fn write(inside: &Side<'_>, path: &str, content: &[u8], options: &WriteOptions, owner: Option<Owner>) -> Result<()> {
    let doing = || format!("cannot write `{path}`");
    let (folder, name, existing) = match inside.target(path.as_bytes())? {
        Target::Folder(_) => return Err(Error::invalid(format!("`{path}` is a folder"))),
        Target::Free { must_be_folder: true, .. } => {
            return Err(Error::invalid(format!("`{path}` names a folder, not a file")).hint("leave the slash out"));
        }
        Target::Free { folder, name, .. } => (folder, name, None),
        Target::Taken { folder, name, existing } => (folder, name, Some(existing)),
    };
    if existing.as_ref().is_some_and(|existing| existing.kind() != NodeKind::File) {
        return Err(
            Error::invalid(format!("`{path}` is no regular file")).hint("remove it first, or write inside with `exec`")
        );
    }
    if let Some(existing) = &existing {
        // Its end is where others write too; and what is mounted on a name can only be filled.
        let in_place =
            if options.append { Some(OFlag::O_APPEND) } else { mounted_file(&folder, &name)?.map(|_| OFlag::O_TRUNC) };
        if let Some(flag) = in_place {
            let mut file = existing.open_file(OFlag::O_WRONLY | flag).doing(doing)?;
            file.write_all(content).doing(doing)?;
            return attributes(inside, &file, existing, options, owner, true).map_err(|error| error.context(doing()));
        }
    }
    let (temporary, mut file) = Temporary::create(folder.as_fd()).doing(doing)?;
    file.write_all(content).doing(doing)?;
    if let Some(existing) = &existing {
        attributes(inside, &file, existing, options, owner, false).map_err(|error| error.context(doing()))?;
    } else {
        let (uid, gid) = inside.kernel_ids(owner.unwrap_or((0, 0)))?;
        own(ownership::give(&file, (uid.as_raw(), gid.as_raw()))).doing(doing)?;
        fchmod(&file, Mode::from_bits_truncate(options.mode.unwrap_or(NEW_MODE))).doing(doing)?;
    }
    temporary.rename(&name).doing(doing)
}

/// What was asked for, else what the file had.
fn attributes(
    inside: &Side<'_>,
    file: &File,
    existing: &Node,
    options: &WriteOptions,
    owner: Option<Owner>,
    in_place: bool,
) -> Result<()> {
    let doing = || "cannot set its attributes";
    if owner.is_some() || !in_place {
        // Kept as the kernel has it: in a bind it may be an owner that the container does not have.
        let kept = || Ok((Uid::from_raw(existing.stat().st_uid), Gid::from_raw(existing.stat().st_gid)));
        let (uid, gid) = owner.map_or_else(kept, |owner| inside.kernel_ids(owner))?;
        own(ownership::give(file, (uid.as_raw(), gid.as_raw()))).doing(doing)?;
    }
    if options.mode.is_some() || owner.is_some() || !in_place {
        fchmod(file, Mode::from_bits_truncate(options.mode.unwrap_or(existing.mode()))).doing(doing)?;
    }
    Ok(())
}
