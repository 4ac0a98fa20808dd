//! Taking names and images away, by Docker's rules (moby `daemon/images/image_delete.go`).

use super::info::familiar;
use super::lookup::{self, Meant};
use crate::error::{Error, Result};
use crate::events::{self, Occurrence};
use crate::model::{Digest, Id, ImageRemoval, Reference, Status, short_id};
use crate::store::rusqlite::{Connection, OptionalExtension, Transaction, params};
use crate::store::{Store, release_image};

/// Containers that an error names; the others are counted.
const TOLD: usize = 5;

/// Takes away what `text` means: a name, and with the last one the image; or, by id, the image. What was built on
/// it keeps it, without a name; parents that have no name and no other child go with it.
///
/// # Errors
/// `conflict` when an id has several names or a container that does not run uses it, unless `force` is set; and when an
/// image was made from it, or a container that runs uses it.
pub fn remove(store: &Store, text: &str, force: bool) -> Result<ImageRemoval> {
    lookup::require(store, text)?;
    let (removal, happened) = store.write_durable(|tx| {
        let mut removing = Removing { store, tx, removal: ImageRemoval::default(), happened: Vec::new() };
        if let Some(meant) = lookup::meant(tx, text)? {
            removing.remove(text, &meant, force)?;
        }
        Ok((removing.removal, removing.happened))
    })?;
    events::record(store.root(), &happened);
    store.take_out_garbage()?;
    Ok(removal)
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
        let gone = Name::of(&name);
        if !names(tx, &id)?.contains(&gone) {
            return Err(Error::not_found(format!("image `{text}` has no name `{name}`")));
        }
        gone.delete(tx, &id)?;
        Ok(id)
    })?;
    events::record(store.root(), &[untagged(&id)]);
    Ok(id)
}

/// A name of an image, or a digest that a repository knows it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub repository: String,
    pub canonical: String,
    pub digest: Option<String>,
}

impl Name {
    fn of(reference: &Reference) -> Self {
        let digest = reference.digest().map(ToString::to_string);
        let canonical = match &digest {
            Some(digest) => format!("{}@{digest}", reference.name()),
            None => reference.canonical(),
        };
        Self { repository: reference.name(), canonical, digest }
    }

    fn delete(&self, tx: &Transaction<'_>, id: &Digest) -> Result<()> {
        match &self.digest {
            None => tx.execute("DELETE FROM image_names WHERE name = ?1", [&self.canonical])?,
            Some(digest) => tx.execute(
                "DELETE FROM image_digests WHERE repository = ?1 AND digest = ?2 AND image = ?3",
                params![self.repository, digest, id.to_string()],
            )?,
        };
        Ok(())
    }
}

/// Names first, then digests.
pub(super) fn names(db: &Connection, id: &Digest) -> Result<Vec<Name>> {
    let mut names = Vec::new();
    let mut statement = db.prepare_cached("SELECT name FROM image_names WHERE image = ?1 ORDER BY name")?;
    for name in statement.query_map([id.to_string()], |row| row.get::<_, String>(0))? {
        let canonical = name?;
        let repository = canonical.parse::<Reference>().map_or_else(|_| canonical.clone(), |name| name.name());
        names.push(Name { repository, canonical, digest: None });
    }
    let sql = "SELECT repository, digest FROM image_digests WHERE image = ?1 ORDER BY repository, digest";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map([id.to_string()], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    for row in rows {
        let (repository, digest) = row?;
        names.push(Name { canonical: format!("{repository}@{digest}"), repository, digest: Some(digest) });
    }
    Ok(names)
}

/// A container that was made from an image: its name, and whether it runs.
pub(super) struct User {
    pub name: String,
    pub alive: bool,
}

pub(super) fn users(db: &Connection, id: &Digest) -> Result<Vec<User>> {
    let mut statement =
        db.prepare_cached("SELECT name, status FROM containers WHERE image_id = ?1 ORDER BY created, name")?;
    let rows = statement.query_map([id.to_string()], |row| {
        let status: String = row.get(1)?;
        let alive = Status::from_name(&status).is_none_or(Status::is_alive);
        Ok(User { name: row.get(0)?, alive })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn has_children(db: &Connection, id: &Digest) -> Result<bool> {
    Ok(db.prepare_cached("SELECT 1 FROM images WHERE parent = ?1")?.exists([id.to_string()])?)
}

/// What is taken away in one transaction.
pub(super) struct Removing<'a> {
    pub store: &'a Store,
    pub tx: &'a Transaction<'a>,
    pub removal: ImageRemoval,
    pub happened: Vec<Occurrence>,
}

impl Removing<'_> {
    fn remove(&mut self, text: &str, meant: &Meant, force: bool) -> Result<()> {
        let id = &meant.id;
        let mut names = names(self.tx, id)?;
        let users = users(self.tx, id)?;
        let Some(reference) = &meant.name else {
            if !is_single(&names) && !force {
                return Err(several_names(text, &names));
            }
            self.check(text, id, &users, force)?;
            return self.delete(id);
        };
        // Without a name it would be left to nobody.
        if !force && is_single(&names) && !users.is_empty() {
            return Err(in_use(text, &users));
        }
        let gone = Name::of(reference);
        names.retain(|name| *name != gone);
        self.untag(id, &gone)?;
        // With its last tag of a repository go the digests of it.
        if gone.digest.is_none()
            && !names.iter().any(|name| name.digest.is_none() && name.repository == gone.repository)
        {
            for name in names.extract_if(.., |name| name.repository == gone.repository) {
                self.untag(id, &name)?;
            }
        }
        // What is still needed stays without a name.
        if !names.is_empty() || self.check(text, id, &users, force).is_err() {
            return Ok(());
        }
        self.delete(id)
    }

    fn check(&self, text: &str, id: &Digest, users: &[User], force: bool) -> Result<()> {
        if has_children(self.tx, id)? {
            return Err(Error::conflict(format!(
                "cannot remove image `{}`: other images were made from it",
                short(text)
            ))
            .hint("remove those first; or take only its name away: `.untag()`"));
        }
        if users.iter().any(|user| user.alive) || !force && !users.is_empty() {
            return Err(in_use(text, users));
        }
        Ok(())
    }

    fn untag(&mut self, id: &Digest, name: &Name) -> Result<()> {
        name.delete(self.tx, id)?;
        self.removal.untagged.push(familiar(&name.canonical));
        self.happened.push(untagged(id));
        Ok(())
    }

    /// The image with all its names, and then parents that only it needed.
    fn delete(&mut self, id: &Digest) -> Result<()> {
        let mut next = Some(id.clone());
        while let Some(id) = next.take() {
            next = match self.delete_one(&id)? {
                Some(parent) if self.is_left_over(&parent)? => Some(parent),
                _ => None,
            };
        }
        Ok(())
    }

    /// The image with all its names; gives its parent.
    pub fn delete_one(&mut self, id: &Digest) -> Result<Option<Digest>> {
        for name in names(self.tx, id)? {
            self.untag(id, &name)?;
        }
        let parent: Option<String> = self
            .tx
            .prepare_cached("SELECT parent FROM images WHERE id = ?1")?
            .query_row([id.to_string()], |row| row.get(0))
            .optional()?
            .flatten();
        let held = !users(self.tx, id)?.is_empty();
        let released = release_image(self.tx, &id.to_string(), held)?;
        for (chain, size) in &released.layers {
            self.removal.freed += self.store.layer_bytes(chain, *size);
        }
        for blob in &released.blobs {
            self.removal.freed += self.store.blob_size(blob).unwrap_or(0);
        }
        self.removal.deleted.push(id.to_string());
        self.removal.deleted.extend(released.layers.iter().map(|(chain, _)| chain.to_string()));
        self.happened.push(Occurrence::image("delete", &id.to_string(), &id.to_string()));
        Ok(parent.and_then(|parent| parent.parse().ok()))
    }

    fn is_left_over(&self, id: &Digest) -> Result<bool> {
        Ok(names(self.tx, id)?.is_empty() && users(self.tx, id)?.is_empty() && !has_children(self.tx, id)?)
    }
}

/// Whether it has at most one name, in one repository.
fn is_single(names: &[Name]) -> bool {
    let tags = names.iter().filter(|name| name.digest.is_none()).count();
    tags <= 1 && names.iter().all(|name| name.repository == names[0].repository)
}

fn untagged(id: &Digest) -> Occurrence {
    Occurrence::image("untag", &id.to_string(), &id.to_string())
}

/// Those that run, else those that ended: the first ones are what is in the way.
fn in_use(text: &str, users: &[User]) -> Error {
    let alive = users.iter().any(|user| user.alive);
    let ways: Vec<_> = users.iter().filter(|user| user.alive == alive).map(|user| user.name.as_str()).collect();
    let verb = match (alive, ways.len()) {
        (true, 1) => "runs from it",
        (true, _) => "run from it",
        (false, 1) => "was made from it",
        (false, _) => "were made from it",
    };
    let options = if alive { "#{ force: true }" } else { "" };
    let first = format!("`shanty eval 'container(\"{}\").remove({options})'`", ways[0]);
    let mut hint =
        if ways.len() == 1 { format!("remove it first: {first}") } else { format!("remove them first: {first}, …") };
    if !alive {
        hint.push_str("; or the image alone, which they keep as long as they are there: `.remove(#{ force: true })`");
    }
    Error::conflict(format!("cannot remove image `{}`: {} {verb}", short(text), containers(&ways))).hint(hint)
}

/// ``container `a` ``, ``containers `a`, `b` and 3 more``.
fn containers(names: &[&str]) -> String {
    let list: Vec<_> = names.iter().take(TOLD).map(|name| format!("`{name}`")).collect();
    let noun = if names.len() == 1 { "container" } else { "containers" };
    match (&list[..], names.len().saturating_sub(TOLD)) {
        ([first @ .., last], 0) if !first.is_empty() => format!("{noun} {} and {last}", first.join(", ")),
        (all, 0) => format!("{noun} {}", all.join("")),
        (all, more) => format!("{noun} {} and {more} more", all.join(", ")),
    }
}

fn several_names(text: &str, names: &[Name]) -> Error {
    // The digests go with the tags, and are too long to read.
    let tags: Vec<_> = names.iter().filter(|name| name.digest.is_none()).collect();
    let list: Vec<_> = if tags.is_empty() {
        names.iter().map(|name| format!("`{}`", familiar(&name.canonical))).collect()
    } else {
        tags.iter().map(|name| format!("`{}`", familiar(&name.canonical))).collect()
    };
    let text = short(text);
    Error::conflict(format!("cannot remove image `{text}`: it has several names: {}", list.join(", ")))
        .hint(format!("remove one name, or all: `shanty eval 'image(\"{text}\").remove(#{{ force: true }})'`"))
}

/// A whole id as it is shown everywhere.
fn short(text: &str) -> &str {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    if Id::parse(digits).is_some() { short_id(digits) } else { text }
}
