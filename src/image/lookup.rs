//! From what a person writes to an image: a full id, a name, or the start of an id.

use crate::error::{Error, Result};
use crate::model::{Digest, Id, Reference};
use crate::store::Store;
use crate::store::rusqlite::{Connection, OptionalExtension, params};

/// The image that `text` means: a full id, else a name, else a unique prefix of an id.
///
/// # Errors
/// `invalid` when it is a prefix of several ids, or can be no reference.
pub fn find(store: &Store, text: &str) -> Result<Option<Digest>> {
    store.read(|db| find_in(db, text))
}

/// The same; an image that is not there is `not_found`, with a hint.
pub fn require(store: &Store, text: &str) -> Result<Digest> {
    store.read(|db| match find_in(db, text)? {
        Some(id) => Ok(id),
        None => Err(missing(db, text)?),
    })
}

pub(super) fn find_in(db: &Connection, text: &str) -> Result<Option<Digest>> {
    Ok(meant(db, text)?.map(|meant| meant.id))
}

/// An image, and what it was called by.
pub(super) struct Meant {
    pub id: Digest,
    /// Its name or `repository@digest`; `None`: its id.
    pub name: Option<Reference>,
}

pub(super) fn meant(db: &Connection, text: &str) -> Result<Option<Meant>> {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    let by_id = |id: Option<Digest>| id.map(|id| Meant { id, name: None });
    if Id::parse(digits).is_some() {
        return one(db, "SELECT id FROM images WHERE id = ?1", &format!("sha256:{digits}")).map(by_id);
    }
    if let Ok(reference) = text.parse::<Reference>()
        && let Some(id) = by_name(db, &reference)?
    {
        return Ok(Some(Meant { id, name: Some(reference) }));
    }
    by_prefix(db, text, digits).map(by_id)
}

fn by_name(db: &Connection, reference: &Reference) -> Result<Option<Digest>> {
    let Some(digest) = reference.digest() else {
        return one(db, "SELECT image FROM image_names WHERE name = ?1", &reference.canonical());
    };
    let sql = "SELECT image FROM image_digests WHERE repository = ?1 AND digest = ?2";
    let found: Option<String> =
        db.query_row(sql, params![reference.name(), digest.to_string()], |row| row.get(0)).optional()?;
    found.map(|id| id.parse()).transpose()
}

fn by_prefix(db: &Connection, text: &str, digits: &str) -> Result<Option<Digest>> {
    if digits.is_empty() || digits.len() > 64 || !digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return Ok(None);
    }
    // Just above the last id that starts so, which the index finds without looking at others.
    let (from, to) = (format!("sha256:{digits}"), format!("sha256:{digits}g"));
    let mut statement = db.prepare_cached("SELECT id FROM images WHERE id >= ?1 AND id < ?2 LIMIT 2")?;
    let ids = statement.query_map([&from, &to], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    match &ids[..] {
        [] => Ok(None),
        [id] => id.parse().map(Some),
        _ => Err(Error::invalid(format!("`{text}` is the start of several image ids")).hint("write more digits of it")),
    }
}

fn one(db: &Connection, sql: &str, key: &str) -> Result<Option<Digest>> {
    let found: Option<String> = db.prepare_cached(sql)?.query_row([key], |row| row.get(0)).optional()?;
    found.map(|id| id.parse()).transpose()
}

/// Says that it is not here, and what might have been meant.
fn missing(db: &Connection, text: &str) -> Result<Error> {
    let reference: Reference = match text.parse() {
        Ok(reference) => reference,
        Err(_) if Id::parse(text.strip_prefix("sha256:").unwrap_or(text)).is_some() => {
            return Ok(
                Error::not_found(format!("there is no image with the id `{text}`")).hint("`shanty images` lists them")
            );
        }
        Err(error) => return Ok(error),
    };
    let mut statement = db.prepare("SELECT name FROM image_names")?;
    let names = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    let wanted = reference.canonical();
    let likeness = |name: &String| strsim::normalized_damerau_levenshtein(name, &wanted);
    let nearest = names.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b))).filter(|name| likeness(name) > 0.8);
    let error = Error::not_found(format!("there is no image `{reference}` here"));
    Ok(match nearest.and_then(|name| name.parse::<Reference>().ok()) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint(format!("pull it: `shanty eval 'image(\"{reference}\").pull()'`")),
    })
}
