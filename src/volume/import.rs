//! Reads a volume from a tar: beside what it holds, looked at, and then exchanged for it in one step.

use super::folder::{self, Draft};
use super::lookup::shown;
use super::row::{self, Row};
use super::{events, export, filling, users};
use crate::archive::restore;
use crate::context::Context;
use crate::error::{Error, IoContext, Result};
use crate::model::{ImportVolumeSpec, VolumeArchive, name as names};
use crate::store::Store;
use crate::store::rusqlite::Transaction;
use crate::store::scopes::{self, ItemKind};
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use std::fs::File;
use std::io::Read;

/// Replaces what a volume holds by what is in an archive; a missing volume is made. Until all of that is on the disk, and is
/// what the archive's end says, nothing of the volume is touched.
///
/// # Errors
/// `conflict` when a container that runs has the volume, or it is not empty and `replace` was not said; `corrupt` when the
/// archive is damaged or not whole.
pub fn import(
    store: &Store,
    cx: &Context,
    name: &str,
    spec: ImportVolumeSpec,
    input: &mut (dyn Read + Send),
) -> Result<VolumeArchive> {
    let existing = store.read(|db| row::get(db, name))?;
    match &existing {
        Some(row) => store.read(|db| check(db, store, &row.name, spec))?,
        None => names::check("volume", name)?,
    }
    let draft = Draft::make(store)?;
    let found = restore(input, &draft.data(), spec.verify, cx)
        .map_err(|error| store.explain_full_disk(error, 0).context(format!("restoring volume `{}`", shown(name))))?;
    draft.sync_data()?;
    cx.check()?;
    // Nobody fills it meanwhile.
    let _lock = existing.as_ref().map(|row| filling::lock(store, &row.name, &cx.cancel)).transpose()?;
    let made = store.write_durable(|tx| {
        if row::exists(tx, name)? {
            check(tx, store, name, spec)?;
            exchange(store, &draft, name)?;
            return Ok(false);
        }
        make(tx, cx, &draft, name)?;
        Ok(true)
    })?;
    if made {
        events::created(store, name);
    }
    Ok(export::summary(found))
}

/// Inside a transaction no container that has it can begin to run: that is a transaction, too, and comes before its mounts.
fn check(db: &crate::store::rusqlite::Connection, store: &Store, name: &str, spec: ImportVolumeSpec) -> Result<()> {
    let running = users::running(db, name)?;
    if let Some(first) = running.first() {
        let names: Vec<_> = running.iter().map(|user| format!("`{}`", user.name)).collect();
        return Err(Error::conflict(format!(
            "volume `{}` is in use: container {} runs",
            shown(name),
            names.join(", ")
        ))
        .hint(format!("stop it first: `container(\"{}\").stop()`", first.name)));
    }
    if !spec.replace && !folder::is_empty(&folder::data(store, name)?)? {
        return Err(Error::conflict(format!("volume `{}` is not empty", shown(name)))
            .hint("replace what it holds with `replace: true`, or restore to another name"));
    }
    Ok(())
}

/// The draft gets what the volume held, and goes with it.
fn exchange(store: &Store, draft: &Draft<'_>, name: &str) -> Result<()> {
    let data = folder::data(store, name)?;
    renameat2(AT_FDCWD, &draft.data(), AT_FDCWD, &data, RenameFlags::RENAME_EXCHANGE)
        .doing(|| format!("cannot replace `{}`", data.display()))?;
    let folder = store.volume_dir(name);
    File::open(&folder)
        .and_then(|folder| folder.sync_all())
        .doing(|| format!("cannot write `{}` to the disk", folder.display()))
}

fn make(tx: &Transaction<'_>, cx: &Context, draft: &Draft<'_>, name: &str) -> Result<()> {
    draft.publish(tx, name)?;
    draft.sync()?;
    let row = Row { name: name.to_owned(), labels: [].into(), created: jiff::Timestamp::now(), anonymous: false };
    row::insert(tx, &row)?;
    cx.scope.as_ref().map_or(Ok(()), |scope| scopes::own(tx, scope, ItemKind::Volume, name))
}
