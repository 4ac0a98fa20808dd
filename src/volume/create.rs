//! Makes volumes.

use super::folder::Draft;
use super::row::{self, Row};
use super::{events, folder};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::model::{Id, VolumeSpec, name};
use crate::store::Store;
use crate::store::rusqlite::Transaction;
use crate::store::scopes::{self, ItemKind};

/// Makes a volume. One with that name that is there already stays as it is, as in Docker: its labels, too.
pub fn create(store: &Store, cx: &Context, spec: &VolumeSpec) -> Result<Row> {
    let name = match &spec.name {
        Some(wanted) => {
            name::check("volume", wanted)?;
            wanted.clone()
        }
        None => Id::random()?.as_str().to_owned(),
    };
    let row =
        Row { name, labels: spec.labels.clone(), created: jiff::Timestamp::now(), anonymous: spec.name.is_none() };
    if let Some(existing) = store.read(|db| row::get(db, &row.name))? {
        return Ok(existing);
    }
    let draft = Draft::make(store)?;
    match publish(store, cx, &row, &draft)? {
        Some(made_meanwhile) => Ok(made_meanwhile),
        None => Ok(row),
    }
}

/// Makes a volume with a name out of a draft that has its files already.
///
/// # Errors
/// `conflict` when there is one of that name.
pub fn create_from(store: &Store, cx: &Context, spec: &VolumeSpec, draft: &Draft<'_>) -> Result<Row> {
    let name = spec.name.clone().unwrap_or_default();
    let row = Row { name, labels: spec.labels.clone(), created: jiff::Timestamp::now(), anonymous: false };
    match publish(store, cx, &row, draft)? {
        Some(_) => Err(is_taken(&row.name)),
        None => Ok(row),
    }
}

/// Fails with `conflict` when there is a volume of this name, and with `invalid` when it is none.
pub fn check_free(store: &Store, wanted: &str) -> Result<()> {
    name::check("volume", wanted)?;
    if store.read(|db| row::exists(db, wanted))? { Err(is_taken(wanted)) } else { Ok(()) }
}

fn is_taken(name: &str) -> Error {
    Error::conflict(format!("there is a volume `{name}` already"))
        .hint(format!("take another name, or remove it: `volume(\"{name}\").remove()`"))
}

/// Gives what has the name already.
fn publish(store: &Store, cx: &Context, row: &Row, draft: &Draft<'_>) -> Result<Option<Row>> {
    let existing = store.write_durable(|tx| {
        let existing = row::get(tx, &row.name)?;
        if existing.is_none() {
            draft.publish(tx, &row.name)?;
            draft.sync()?;
            row::insert(tx, row)?;
            cx.scope.as_ref().map_or(Ok(()), |scope| scopes::own(tx, scope, ItemKind::Volume, &row.name))?;
        }
        Ok(existing)
    })?;
    if existing.is_none() {
        events::created(store, &row.name);
    }
    Ok(existing)
}

/// The volume of this name that a container is to have: made when it is missing.
pub fn ensure(store: &Store, cx: &Context, name: &str) -> Result<()> {
    if store.read(|db| row::exists(db, name))? {
        // Its folder as well.
        return folder::data(store, name).map(drop);
    }
    create(store, cx, &VolumeSpec { name: Some(name.to_owned()), ..VolumeSpec::default() }).map(drop)
}

/// Makes the anonymous volume of a container, out of a draft, in the transaction that writes the container's row.
pub fn anonymous(tx: &Transaction<'_>, draft: &Draft<'_>, name: &str) -> Result<()> {
    draft.publish(tx, name)?;
    let row = Row { name: name.to_owned(), labels: [].into(), created: jiff::Timestamp::now(), anonymous: true };
    row::insert(tx, &row)
}
