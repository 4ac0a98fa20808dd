//! A volume's row in the database.

use crate::error::{Error, ErrorKind, Result};
use crate::store::rusqlite::{Connection, OptionalExtension, Row as SqlRow, params};
use std::collections::BTreeMap;

/// What the database knows about a volume.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// When it was made.
    pub created: jiff::Timestamp,
    /// Whether nobody gave it a name.
    pub anonymous: bool,
}

const COLUMNS: &str = "name, labels, created, anonymous";

/// Inserts a new row.
pub fn insert(conn: &Connection, row: &Row) -> Result<()> {
    let labels = serde_json::to_string(&row.labels)
        .map_err(|error| Error::new(ErrorKind::Io, format!("cannot write as JSON: {error}")))?;
    let created = i64::try_from(row.created.as_nanosecond()).unwrap_or(i64::MAX);
    conn.prepare_cached("INSERT INTO volumes (name, labels, created, anonymous) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![row.name, labels, created, row.anonymous])?;
    Ok(())
}

/// The row with this name.
pub fn get(conn: &Connection, name: &str) -> Result<Option<Row>> {
    let mut statement = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM volumes WHERE name = ?1"))?;
    statement.query_row([name], |row| Ok(read(row))).optional()?.transpose()
}

/// All rows, by name, with the number of containers that have each.
pub fn all(conn: &Connection) -> Result<Vec<(Row, usize)>> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT {COLUMNS}, (SELECT count(*) FROM volume_users WHERE volume = name) FROM volumes ORDER BY name"
    ))?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let users: i64 = row.get(4)?;
        found.push((read(row)?, usize::try_from(users).unwrap_or(0)));
    }
    Ok(found)
}

/// All names.
pub fn names(conn: &Connection) -> Result<Vec<String>> {
    let mut statement = conn.prepare_cached("SELECT name FROM volumes")?;
    Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// Whether there is a row with this name.
pub fn exists(conn: &Connection, name: &str) -> Result<bool> {
    Ok(conn.prepare_cached("SELECT 1 FROM volumes WHERE name = ?1")?.exists([name])?)
}

/// Deletes a row that no container has.
pub fn delete(conn: &Connection, name: &str) -> Result<()> {
    conn.prepare_cached("DELETE FROM volumes WHERE name = ?1")?.execute([name])?;
    Ok(())
}

fn read(row: &SqlRow<'_>) -> Result<Row> {
    let name: String = row.get(0)?;
    let labels: String = row.get(1)?;
    let labels = serde_json::from_str(&labels)
        .map_err(|_| Error::corrupt(format!("the row of volume `{name}` has bad labels")))?;
    let created = jiff::Timestamp::from_nanosecond(i128::from(row.get::<_, i64>(2)?));
    Ok(Row { name, labels, created: created.unwrap_or(jiff::Timestamp::UNIX_EPOCH), anonymous: row.get(3)? })
}
