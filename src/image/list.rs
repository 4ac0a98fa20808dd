//! Which images there are.

use super::info::{self, Row, familiar};
use super::summary::Summary;
use crate::error::{ErrorKind, Result};
use crate::model::{Digest, ImageFilter, ImageInfo, Reference};
use crate::store::Store;
use crate::store::rusqlite::Connection;
use std::cmp::Reverse;
use std::collections::HashMap;

/// Images that the filter lets through, newest first.
pub fn list(store: &Store, filter: &ImageFilter) -> Result<Vec<ImageInfo>> {
    let mut images = Vec::new();
    for (id, row) in store.read(|db| rows(db, filter.all))? {
        let summary = match row.summary() {
            Some(summary) => summary,
            None => match Summary::read(store, &id) {
                // Another process has removed it since the rows were read.
                Err(error) if error.is(ErrorKind::NotFound) => continue,
                summary => summary.map_err(|error| error.context(format!("image `{}`", id.short())))?,
            },
        };
        let image = row.info(&id, summary);
        if matches(&image, filter) {
            images.push(image);
        }
    }
    Ok(images)
}

/// One statement a table: one for each image would take longer than everything else.
fn rows(db: &Connection, all: bool) -> Result<Vec<(Digest, Row)>> {
    let transaction = db.unchecked_transaction()?;
    let mut names = grouped(db, "SELECT image, name FROM image_names ORDER BY name")?;
    let mut digests =
        grouped(db, "SELECT image, repository || '@' || digest FROM image_digests ORDER BY repository, digest")?;
    // What only its children need is no image of its own to people.
    let shown = "WHERE NOT EXISTS (SELECT 1 FROM images AS child WHERE child.parent = images.id)
                 OR EXISTS (SELECT 1 FROM image_names WHERE image = images.id)
                 OR EXISTS (SELECT 1 FROM image_digests WHERE image = images.id)";
    let mut statement = db.prepare_cached(&format!(
        "SELECT ifnull(created, added), added, id, {} FROM images {}",
        info::COLUMNS,
        if all { "" } else { shown }
    ))?;
    let mut found = statement.query([])?;
    let mut rows = Vec::new();
    while let Some(sql) = found.next()? {
        let order: (i64, i64) = (sql.get(0)?, sql.get(1)?);
        let text: String = sql.get(2)?;
        let mut row = Row::read(sql, 3)?;
        row.tags = names.remove(&text).unwrap_or_default();
        row.repo_digests = digests.remove(&text).unwrap_or_default();
        rows.push((Reverse(order), text, row));
    }
    transaction.finish()?;
    // Here and not there: SQLite would carry the summaries along.
    rows.sort_unstable_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
    rows.into_iter().map(|(_, id, row)| Ok((id.parse()?, row))).collect()
}

/// Familiar names by image.
fn grouped(db: &Connection, sql: &str) -> Result<HashMap<String, Vec<String>>> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    let mut groups: HashMap<String, Vec<String>> = HashMap::new();
    while let Some(row) = rows.next()? {
        let name = familiar(row.get_ref(1)?.as_str().unwrap_or_default());
        groups.entry(row.get(0)?).or_default().push(name);
    }
    Ok(groups)
}

fn matches(image: &ImageInfo, filter: &ImageFilter) -> bool {
    let name = filter.name.as_deref().is_none_or(|pattern| image.tags.iter().any(|tag| name_matches(tag, pattern)));
    let labels = filter
        .labels
        .iter()
        .all(|(key, value)| image.labels.get(key).is_some_and(|found| value.is_empty() || found == value));
    let dangling = filter.dangling.is_none_or(|wanted| wanted == image.tags.is_empty());
    let before = filter.before.is_none_or(|time| image.created.is_some_and(|built| built < time));
    let since = filter.since.is_none_or(|time| image.created.is_some_and(|built| built > time));
    name && labels && dangling && before && since
}

/// A pattern without a tag means every tag of the repository.
fn name_matches(tag: &str, pattern: &str) -> bool {
    let repository = tag.parse::<Reference>().map(|reference| reference.familiar_name());
    wildcard(pattern.as_bytes(), tag.as_bytes())
        || repository.is_ok_and(|repository| wildcard(pattern.as_bytes(), repository.as_bytes()))
}

/// `*` stands for any text, `/` included.
fn wildcard(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while from < text.len() {
        if pattern.get(at) == Some(&b'*') {
            star = Some((at, from));
            at += 1;
        } else if pattern.get(at) == Some(&text[from]) {
            at += 1;
            from += 1;
        } else if let Some((star_at, star_from)) = star {
            // The last star takes one byte more.
            star = Some((star_at, star_from + 1));
            at = star_at + 1;
            from = star_from + 1;
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_repositories_and_whole_names() {
        for (tag, pattern, expected) in [
            ("node:18", "node", true),
            ("node:18", "node:18", true),
            ("node:18", "node:1*", true),
            ("node:18", "node:19", false),
            ("node:18", "no*", true),
            ("node:18", "*8", true),
            ("node:18", "ode", false),
            ("127.0.0.1:5000/app:1", "*app", true),
            ("127.0.0.1:5000/app:1", "127*:1", true),
            ("a:aab", "*aab", true),
        ] {
            assert_eq!(name_matches(tag, pattern), expected, "{tag} {pattern}");
        }
    }
}
