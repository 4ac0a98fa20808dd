//! Makes containers: a folder and a row.

use super::base::Base;
use super::plan::Plan;
use super::remove::Removal;
use super::row::{self, FoldedState, Row};
use super::volumes::{self, Volumes};
use super::{connect, events, folder, input, isolation, mapped, remove, resources};
use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::image;
use crate::model::{ContainerSpec, Id, RestartPolicy, Status, name};
use crate::network;
use crate::store::Store;
use crate::store::scopes::{self, ItemKind};
use crate::sys::lock::FileLock;

/// How often a made-up name may be taken already.
const NAME_ATTEMPTS: u32 = 20;

/// Makes a container that is not started.
pub fn create(store: &Store, cx: &Context, spec: &ContainerSpec, base: Base<'_>) -> Result<Row> {
    make(store, cx, Id::random()?, spec, base, Status::Created).map(|(row, _lock)| row)
}

/// Makes a container in a state: its folder and its row. Whoever gets the lock brings it into that state.
pub fn make(
    store: &Store,
    cx: &Context,
    id: Id,
    spec: &ContainerSpec,
    base: Base<'_>,
    status: Status,
) -> Result<(Row, FileLock)> {
    check(spec, base)?;
    network::check_present(store, &spec.networks)?;
    let mut spec = isolation::by_id(store, spec)?;
    volumes::resolve(&mut spec, base)?;
    let spec = &spec;
    if let Some(name) = &spec.name {
        name::check("container", name)?;
        if spec.replace {
            replace(store, cx, name)?;
        }
    }
    let mut row = Row {
        name: String::new(),
        image: spec.image.clone(),
        image_id: base.image.map(ToString::to_string).unwrap_or_default(),
        plan: Plan::new(&id, spec, base)?,
        spec: ContainerSpec { scope: cx.scope.clone(), ..spec.clone() },
        created: jiff::Timestamp::now(),
        state: FoldedState { status, ..FoldedState::created() },
        id,
    };
    let _ids = mapped::decide(store, cx, &mut row)?;
    let lock = folder::make(store, &row.id)?;
    let made = input::write(store, &row.id, spec).and_then(|()| mapped::give_folders(store, &row)).and_then(|()| {
        let volumes = Volumes::make(store, cx, &row)?;
        insert(store, &mut row, base, &volumes).map(|()| volumes)
    });
    match made {
        Ok(volumes) => volumes.record(store),
        Err(error) => {
            folder::discard(store, &row.id)?;
            return Err(error);
        }
    }
    events::record(store, &row, "create");
    Ok((row, lock))
}

/// What the kernel would refuse in words that nobody understands.
fn check(spec: &ContainerSpec, base: Base<'_>) -> Result<()> {
    if base.layers.is_empty() {
        return Err(Error::invalid(format!("the image `{}` is empty: there is nothing to run in it", spec.image))
            .hint("give it files first: `from(\"scratch\").host_program(\"/bin/sh\")`"));
    }
    if spec.remove && spec.restart != RestartPolicy::No {
        return Err(Error::invalid(format!("`restart: \"{}\"` and `remove: true` exclude each other", spec.restart))
            .hint("leave one of them out"));
    }
    input::check(spec)?;
    isolation::check(spec)?;
    connect::check(spec)?;
    resources::check(&spec.limits)
}

fn insert(store: &Store, row: &mut Row, base: Base<'_>, volumes: &Volumes<'_>) -> Result<()> {
    for attempt in 0.. {
        row.name = match &row.spec.name {
            Some(name) => name.clone(),
            None => name::random(attempt)?,
        };
        let inserted = store.write(|tx| {
            base.image.map_or(Ok(()), |image| image::ensure_present(tx, image))?;
            network::ensure_present(tx, &row.spec.networks)?;
            row::insert(tx, row)?;
            volumes.insert(tx, &row.id)?;
            match &row.spec.scope {
                Some(scope) => scopes::own(tx, scope, ItemKind::Container, row.id.as_str()),
                None => Ok(()),
            }
        });
        match inserted {
            Err(error) if error.is(ErrorKind::Conflict) && row.spec.name.is_none() && attempt < NAME_ATTEMPTS => {}
            other => return other,
        }
    }
    Err(Error::conflict("no free name was found"))
}

/// Removes the container of this name, if there is one.
fn replace(store: &Store, cx: &Context, name: &str) -> Result<()> {
    match store.read(|db| row::by_name(db, name))? {
        Some(old) => remove::remove(store, cx, old, Removal { force: true, ..Removal::default() }),
        None => Ok(()),
    }
}
