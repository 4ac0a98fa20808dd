//! Which containers have which volumes: rows that come and go with those of the containers.

use super::lookup::shown;
use super::row;
use crate::error::{Error, Result};
use crate::store::Store;
use crate::store::rusqlite::{Connection, Transaction, params};
use crate::store::scopes::{self, ItemKind};

/// A container that has a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// The containers that have this volume, the oldest first.
pub fn users(store: &Store, name: &str) -> Result<Vec<User>> {
    let row = super::find(store, name)?;
    store.read(|db| of(db, &row.name))
}

/// The same inside a transaction.
pub fn of(conn: &Connection, name: &str) -> Result<Vec<User>> {
    let mut statement = conn.prepare_cached(
        "SELECT containers.id, containers.name FROM volume_users
         JOIN containers ON containers.id = volume_users.container
         WHERE volume = ?1 ORDER BY containers.created",
    )?;
    let rows = statement.query_map([name], |row| Ok(User { id: row.get(0)?, name: row.get(1)? }))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Those of them that are alive, as their rows say.
pub fn running(conn: &Connection, name: &str) -> Result<Vec<User>> {
    let mut statement = conn.prepare_cached(
        "SELECT containers.id, containers.name FROM volume_users
         JOIN containers ON containers.id = volume_users.container
         WHERE volume = ?1 AND status NOT IN ('created', 'exited') ORDER BY containers.created",
    )?;
    let rows = statement.query_map([name], |row| Ok(User { id: row.get(0)?, name: row.get(1)? }))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The volumes that a container has.
pub fn volumes_of(conn: &Connection, container: &str) -> Result<Vec<String>> {
    let mut statement = conn.prepare_cached("SELECT volume FROM volume_users WHERE container = ?1")?;
    Ok(statement.query_map([container], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// Gives a volume to a container whose row is in the same transaction; `own`: it was made for it.
pub fn attach(tx: &Transaction<'_>, name: &str, container: &str, own: bool) -> Result<()> {
    if !row::exists(tx, name)? {
        return Err(Error::conflict(format!("volume `{}` was removed meanwhile", shown(name))).hint("try again"));
    }
    // A volume may be mounted twice.
    tx.prepare_cached("INSERT INTO volume_users (volume, container, own) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?
        .execute(params![name, container, own])?;
    Ok(())
}

/// Deletes the rows of the volumes that were made for a container and that no other one has; gives their names, for
/// [`super::discard`].
pub fn release(tx: &Transaction<'_>, container: &str) -> Result<Vec<String>> {
    let mut statement = tx.prepare_cached(
        "SELECT volume FROM volume_users WHERE container = ?1 AND own
         AND NOT EXISTS (SELECT 1 FROM volume_users AS others WHERE others.volume = volume_users.volume
                         AND others.container <> ?1)",
    )?;
    let names: Vec<String> = statement.query_map([container], |row| row.get(0))?.collect::<Result<_, _>>()?;
    tx.prepare_cached("DELETE FROM volume_users WHERE container = ?1")?.execute([container])?;
    for name in &names {
        row::delete(tx, name)?;
        scopes::release(tx, ItemKind::Volume, name)?;
    }
    Ok(names)
}
