//! What is known about an image.

use super::config::read_config;
use crate::error::{Error, Result};
use crate::model::{Digest, ImageInfo, Platform, Reference};
use crate::store::Store;
use crate::store::rusqlite::{Connection, OptionalExtension};

/// Everything about the image with this id.
pub fn info(store: &Store, id: &Digest) -> Result<ImageInfo> {
    let row = store.read(|db| row(db, id))?.ok_or_else(|| Error::not_found(format!("there is no image `{id}`")))?;
    let config = read_config(store, id)?;
    let layers = config.rootfs().diff_ids().iter().map(|diff_id| diff_id.parse()).collect::<Result<_>>()?;
    let platform = Platform {
        os: config.os().to_string(),
        architecture: config.architecture().to_string(),
        variant: config.variant().clone(),
    };
    let run = config.config().clone().unwrap_or_default();
    Ok(ImageInfo {
        id: id.clone(),
        digest: row.manifest,
        tags: row.tags,
        repo_digests: row.repo_digests,
        size: row.size,
        created: config.created().as_ref().and_then(|text| text.parse().ok()),
        platform,
        labels: run.labels().clone().unwrap_or_default().into_iter().collect(),
        env: run.env().clone().unwrap_or_default(),
        cmd: run.cmd().clone().unwrap_or_default(),
        entrypoint: run.entrypoint().clone().unwrap_or_default(),
        workdir: run.working_dir().clone().unwrap_or_default(),
        user: run.user().clone().unwrap_or_default(),
        ports: sorted(run.exposed_ports().clone().unwrap_or_default()),
        layers,
    })
}

/// What the database knows.
struct Row {
    manifest: Digest,
    size: u64,
    tags: Vec<String>,
    repo_digests: Vec<String>,
}

fn row(db: &Connection, id: &Digest) -> Result<Option<Row>> {
    let id = id.to_string();
    let found: Option<(String, i64)> = db
        .prepare_cached("SELECT manifest, size FROM images WHERE id = ?1")?
        .query_row([&id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((manifest, size)) = found else { return Ok(None) };
    let tags = strings(db, "SELECT name FROM image_names WHERE image = ?1 ORDER BY name", &id)?;
    let digests =
        strings(db, "SELECT repository || '@' || digest FROM image_digests WHERE image = ?1 ORDER BY 1", &id)?;
    Ok(Some(Row {
        manifest: manifest.parse()?,
        size: size as u64,
        tags: tags.iter().map(|name| familiar(name)).collect(),
        repo_digests: digests.iter().map(|name| familiar(name)).collect(),
    }))
}

fn strings(db: &Connection, sql: &str, key: &str) -> Result<Vec<String>> {
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map([key], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(rows)
}

/// `node:18` for `docker.io/library/node:18`.
fn familiar(name: &str) -> String {
    name.parse::<Reference>().map_or_else(|_| name.to_owned(), |reference| reference.to_string())
}

/// oci-spec reads them from a JSON object, whose order it loses.
fn sorted(mut list: Vec<String>) -> Vec<String> {
    list.sort();
    list
}
