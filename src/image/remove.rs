//! Taking names and images away.

use super::lookup;
use crate::error::{Error, Result};
use crate::events::{self, Occurrence};
use crate::model::{Digest, Reference, short_id};
use crate::store::Store;
use crate::store::rusqlite::{Connection, Transaction, params};

/// Takes away what `text` means: a name, and with the last one the image; or, by id, the image.
///
/// # Errors
/// `conflict` when a container was made from it, or when an id has several names and `force` is not set.
pub fn remove(store: &Store, text: &str, force: bool) -> Result<()> {
    lookup::require(store, text)?;
    let happened = store.write_durable(|tx| {
        let Some(id) = lookup::find_in(tx, text)? else { return Ok(Vec::new()) };
        let names = names(tx, &id)?;
        let named = text.parse::<Reference>().ok().map(|reference| reference.canonical());
        let untagged = Occurrence::image("untag", &id.to_string(), &id.to_string());
        match named.filter(|name| names.contains(name)) {
            Some(name) if names.len() > 1 => take_name(tx, &name).map(|()| vec![untagged]),
            None if names.len() > 1 && !force => Err(several_names(text, &names)),
            _ => {
                delete(tx, text, &id)?;
                let deleted = Occurrence::image("delete", &id.to_string(), &id.to_string());
                Ok(names.iter().map(|_| untagged.clone()).chain([deleted]).collect())
            }
        }
    })?;
    events::record(store.root(), &happened);
    store.sweep()?;
    Ok(())
}

/// Takes a name away from the image that `text` means; the image stays. Gives its id.
///
/// # Errors
/// `not_found` when the image has no such name.
pub fn untag(store: &Store, text: &str, name: &str) -> Result<Digest> {
    let name: Reference = name.parse()?;
    lookup::require(store, text)?;
    let id = store.write_durable(|tx| {
        let id = lookup::find_in(tx, text)?
            .ok_or_else(|| Error::not_found(format!("image `{text}` was removed meanwhile")))?;
        if !names(tx, &id)?.contains(&name.canonical()) {
            return Err(Error::not_found(format!("image `{text}` has no name `{name}`")));
        }
        take_name(tx, &name.canonical())?;
        Ok(id)
    })?;
    events::record(store.root(), &[Occurrence::image("untag", &id.to_string(), &id.to_string())]);
    Ok(id)
}

fn names(db: &Connection, id: &Digest) -> Result<Vec<String>> {
    let mut statement = db.prepare_cached("SELECT name FROM image_names WHERE image = ?1 ORDER BY name")?;
    Ok(statement.query_map([id.to_string()], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

fn take_name(tx: &Transaction<'_>, name: &str) -> Result<()> {
    tx.execute("DELETE FROM image_names WHERE name = ?1", [name])?;
    Ok(())
}

/// The rows only: the sweep takes what they alone referred to.
fn delete(tx: &Transaction<'_>, text: &str, id: &Digest) -> Result<()> {
    let mut statement = tx.prepare("SELECT name, id FROM containers WHERE image_id = ?1 ORDER BY created")?;
    let users = statement
        .query_map([id.to_string()], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?
        .collect::<Result<Vec<_>, _>>()?;
    if let Some((first, _)) = users.first() {
        let list: Vec<_> = users.iter().map(|(name, id)| format!("`{name}` ({})", short_id(id))).collect();
        return Err(Error::conflict(format!("image `{text}` is used by container {}", list.join(", ")))
            .hint(format!("remove it first: `shanty eval 'container(\"{first}\").remove(#{{ force: true }})'`")));
    }
    tx.execute("DELETE FROM images WHERE id = ?1", params![id.to_string()])?;
    Ok(())
}

fn several_names(text: &str, names: &[String]) -> Error {
    let list: Vec<_> = names
        .iter()
        .map(|name| name.parse::<Reference>().map_or_else(|_| name.clone(), |reference| reference.to_string()))
        .collect();
    Error::conflict(format!("image `{text}` has several names: {}", list.join(", ")))
        .hint(format!("remove one name, or all: `shanty eval 'image(\"{text}\").remove(#{{ force: true }})'`"))
}
