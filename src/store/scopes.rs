//! Scopes: what a script made and has to be removed with it, also after `kill -9`.

use crate::error::Result;
use crate::sys::process::ProcessIdentity;
use rusqlite::{Connection, params};

/// What a scope can own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemKind {
    /// A container, by id.
    Container,
    /// An image that was built or tagged, by canonical name or id.
    Image,
    /// A volume, by name.
    Volume,
    /// A network, by id.
    Network,
}

impl ItemKind {
    const fn name(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Image => "image",
            Self::Volume => "volume",
            Self::Network => "network",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Container, Self::Image, Self::Volume, Self::Network].into_iter().find(|kind| kind.name() == name)
    }
}

/// Gives a thing to a scope of this process.
pub fn own(conn: &Connection, scope: &str, kind: ItemKind, name: &str) -> Result<()> {
    let owner = ProcessIdentity::current()?;
    conn.prepare_cached(
        "INSERT INTO scopes (id, boot_id, pid, start_time) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
    )?
    .execute(params![scope, owner.boot_id, owner.pid, owner.start_time as i64])?;
    conn.prepare_cached("INSERT INTO scope_items (scope, kind, name) VALUES (?1, ?2, ?3)")?.execute(params![
        scope,
        kind.name(),
        name
    ])?;
    Ok(())
}

/// Takes a thing out of the scope that owns it, if one does.
pub fn release(conn: &Connection, kind: ItemKind, name: &str) -> Result<()> {
    conn.prepare_cached("DELETE FROM scope_items WHERE kind = ?1 AND name = ?2")?
        .execute(params![kind.name(), name])?;
    Ok(())
}

/// What a scope owns, newest first.
pub fn items(conn: &Connection, scope: &str) -> Result<Vec<(ItemKind, String)>> {
    let mut statement = conn.prepare_cached("SELECT kind, name FROM scope_items WHERE scope = ?1 ORDER BY seq DESC")?;
    let rows = statement.query_map(params![scope], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
    let mut items = Vec::new();
    for row in rows {
        let (kind, name) = row?;
        // A kind that a newer version wrote is that version's to remove.
        items.extend(ItemKind::from_name(&kind).map(|kind| (kind, name)));
    }
    Ok(items)
}

/// The process of the scope that owns a thing.
fn owner(conn: &Connection, kind: ItemKind, name: &str) -> Result<Option<ProcessIdentity>> {
    let mut statement = conn.prepare_cached(
        "SELECT boot_id, pid, start_time FROM scopes JOIN scope_items ON scopes.id = scope_items.scope
         WHERE scope_items.kind = ?1 AND scope_items.name = ?2",
    )?;
    let mut rows = statement.query_map(params![kind.name(), name], |row| {
        let start_time = row.get::<_, i64>(2)? as u64;
        Ok(ProcessIdentity { boot_id: row.get(0)?, pid: row.get(1)?, start_time })
    })?;
    Ok(rows.next().transpose()?)
}

/// The pid of another script that runs and owns a thing: it is that script's to remove.
pub fn owned_elsewhere(conn: &Connection, kind: ItemKind, name: &str) -> Result<Option<i32>> {
    let Some(owner) = owner(conn, kind, name)?.filter(ProcessIdentity::is_alive) else { return Ok(None) };
    Ok((owner.pid != ProcessIdentity::current()?.pid).then_some(owner.pid))
}

/// Forgets a scope whose things are gone.
pub fn forget(conn: &Connection, scope: &str) -> Result<()> {
    conn.prepare_cached("DELETE FROM scope_items WHERE scope = ?1")?.execute(params![scope])?;
    conn.prepare_cached("DELETE FROM scopes WHERE id = ?1")?.execute(params![scope])?;
    Ok(())
}

/// Scopes whose script is gone.
pub fn of_dead_scripts(conn: &Connection) -> Result<Vec<String>> {
    let mut statement = conn.prepare_cached("SELECT id, boot_id, pid, start_time FROM scopes")?;
    let rows = statement.query_map([], |row| {
        let start_time = row.get::<_, i64>(3)? as u64;
        Ok((row.get(0)?, ProcessIdentity { boot_id: row.get(1)?, pid: row.get(2)?, start_time }))
    })?;
    let scopes = rows.collect::<rusqlite::Result<Vec<(String, ProcessIdentity)>>>()?;
    Ok(scopes.into_iter().filter(|(_, owner)| !owner.is_alive()).map(|(scope, _)| scope).collect())
}
