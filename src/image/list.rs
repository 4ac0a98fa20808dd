//! Which images there are.

use super::info::info;
use crate::error::{ErrorKind, Result};
use crate::model::{Digest, ImageFilter, ImageInfo, Reference};
use crate::store::Store;

/// Images that the filter lets through, newest first.
pub fn list(store: &Store, filter: &ImageFilter) -> Result<Vec<ImageInfo>> {
    let mut images = Vec::new();
    for id in ids(store)? {
        match info(store, &id) {
            Ok(image) if matches(&image, filter) => images.push(image),
            Ok(_) => {}
            // Another process has removed it since the ids were read.
            Err(error) if error.is(ErrorKind::NotFound) => {}
            Err(error) => return Err(error.context(format!("image `{}`", id.short()))),
        }
    }
    Ok(images)
}

fn ids(store: &Store) -> Result<Vec<Digest>> {
    store.read(|db| {
        let mut statement = db.prepare("SELECT id FROM images ORDER BY ifnull(created, added) DESC, added DESC, id")?;
        let ids = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
        ids.iter().map(|id| id.parse()).collect()
    })
}

fn matches(image: &ImageInfo, filter: &ImageFilter) -> bool {
    let name = filter.name.as_deref().is_none_or(|pattern| image.tags.iter().any(|tag| name_matches(tag, pattern)));
    let labels = filter
        .labels
        .iter()
        .all(|(key, value)| image.labels.get(key).is_some_and(|found| value.is_empty() || found == value));
    let dangling = filter.dangling.is_none_or(|wanted| wanted == image.tags.is_empty());
    name && labels && dangling
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
