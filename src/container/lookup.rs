//! Finds a container by what a person typed: full id, then name, then a unique prefix of an id.

use super::row::{self, Row};
use crate::error::{Error, Result};
use crate::model::{Id, short_id};
use rusqlite::Connection;

/// The row that `text` names, or `not_found` with the nearest name as a hint.
pub fn find(conn: &Connection, text: &str) -> Result<Row> {
    if Id::parse(text).is_some()
        && let Some(row) = row::get(conn, text)?
    {
        return Ok(row);
    }
    if let Some(row) = row::by_name(conn, text)? {
        return Ok(row);
    }
    if !text.is_empty() && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        let mut rows = row::by_prefix(conn, text)?;
        if rows.len() > 1 {
            return Err(Error::invalid(format!("`{text}` is the start of several container ids"))
                .hint("give more digits, or the name"));
        }
        if let Some(row) = rows.pop() {
            return Ok(row);
        }
    }
    Err(not_found(text, &row::names(conn)?))
}

/// There is no such container.
pub fn not_found(text: &str, names: &[String]) -> Error {
    let error =
        Error::not_found(format!("no container `{}`", if Id::parse(text).is_some() { short_id(text) } else { text }));
    let nearest = names
        .iter()
        .map(|name| (strsim::jaro_winkler(text, name), name))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness > 0.8);
    match nearest {
        Some((_, name)) => error.hint(format!("did you mean `{name}`?")),
        None => error.hint("`containers(#{ all: true })` lists them"),
    }
}
