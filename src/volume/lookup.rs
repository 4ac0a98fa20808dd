//! Finds a volume by its name.

use super::row::{self, Row};
use crate::error::{Error, Result};
use crate::model::{Id, short_id};
use crate::store::Store;

/// The row of this name, or `not_found` with the nearest name as a hint.
pub fn find(store: &Store, name: &str) -> Result<Row> {
    match store.read(|db| row::get(db, name))? {
        Some(row) => Ok(row),
        None => Err(not_found(name, &store.read(row::names)?)),
    }
}

/// There is no such volume.
pub fn not_found(name: &str, names: &[String]) -> Error {
    let error = Error::not_found(format!("no volume `{}`", shown(name)));
    let nearest = names
        .iter()
        .map(|known| (strsim::jaro_winkler(name, known), known))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness > 0.8);
    match nearest {
        Some((_, known)) => error.hint(format!("did you mean `{known}`?")),
        None => error.hint(format!("`volumes()` lists them; make it: `create_volume(\"{name}\")`")),
    }
}

/// A name for a message: anonymous volumes are named by an id.
pub fn shown(name: &str) -> &str {
    if Id::parse(name).is_some() { short_id(name) } else { name }
}
