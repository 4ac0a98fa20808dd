//! What is known about an image.

use super::summary::Summary;
use crate::error::{Error, Result};
use crate::model::{Digest, ImageInfo, Reference};
use crate::store::Store;
use crate::store::rusqlite::{Connection, OptionalExtension, Row as SqlRow};

/// Everything about the image with this id.
pub fn info(store: &Store, id: &Digest) -> Result<ImageInfo> {
    let row = store.read(|db| row(db, id))?.ok_or_else(|| Error::not_found(format!("there is no image `{id}`")))?;
    let summary = match row.summary() {
        Some(summary) => summary,
        None => Summary::read(store, id)?,
    };
    Ok(row.info(id, summary))
}

/// What the database knows.
pub(super) struct Row {
    pub manifest: Digest,
    pub size: u64,
    pub tags: Vec<String>,
    pub repo_digests: Vec<String>,
    pub summary: Option<String>,
    pub parent: Option<String>,
    pub tagged: Option<i64>,
}

pub(super) const COLUMNS: &str = "manifest, size, summary, parent, tagged";

impl Row {
    /// Of the columns above, which start at `first`; names are added.
    pub fn read(row: &SqlRow<'_>, first: usize) -> Result<Self> {
        Ok(Self {
            manifest: row.get_ref(first)?.as_str().map_err(|error| Error::corrupt(error.to_string()))?.parse()?,
            size: row.get::<_, i64>(first + 1)? as u64,
            summary: row.get(first + 2)?,
            parent: row.get(first + 3)?,
            tagged: row.get(first + 4)?,
            tags: Vec::new(),
            repo_digests: Vec::new(),
        })
    }

    pub fn summary(&self) -> Option<Summary> {
        Summary::from_json(self.summary.as_deref())
    }

    pub fn info(self, id: &Digest, summary: Summary) -> ImageInfo {
        ImageInfo {
            id: id.clone(),
            digest: self.manifest,
            tags: self.tags,
            repo_digests: self.repo_digests,
            size: self.size,
            created: summary.created,
            platform: summary.platform,
            labels: summary.labels,
            env: summary.env,
            cmd: summary.cmd,
            entrypoint: summary.entrypoint,
            workdir: summary.workdir,
            user: summary.user,
            ports: summary.ports,
            layers: summary.layers,
        }
    }
}

pub(super) fn row(db: &Connection, id: &Digest) -> Result<Option<Row>> {
    let id = id.to_string();
    let found = db
        .prepare_cached(&format!("SELECT {COLUMNS} FROM images WHERE id = ?1"))?
        .query_row([&id], |row| Ok(Row::read(row, 0)))
        .optional()?;
    let Some(row) = found else { return Ok(None) };
    let mut row = row?;
    let names = strings(db, "SELECT name FROM image_names WHERE image = ?1 ORDER BY name", &id)?;
    let digests =
        strings(db, "SELECT repository || '@' || digest FROM image_digests WHERE image = ?1 ORDER BY 1", &id)?;
    row.tags = names.iter().map(|name| familiar(name)).collect();
    row.repo_digests = digests.iter().map(|name| familiar(name)).collect();
    Ok(Some(row))
}

fn strings(db: &Connection, sql: &str, key: &str) -> Result<Vec<String>> {
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map([key], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(rows)
}

/// `node:18` for `docker.io/library/node:18`.
pub(super) fn familiar(name: &str) -> String {
    name.parse::<Reference>().map_or_else(|_| name.to_owned(), |reference| reference.to_string())
}
