//! Rows that refer to what is not there.

use super::Check;
use crate::error::{Error, Result};
use crate::model::Damage;
use crate::store::rusqlite::params;

/// Rows of a table whose column names nothing: table, what to show of a row, condition.
const STALE: [(&str, &str, &str, &str); 5] = [
    ("image_names", "name", "image NOT IN (SELECT id FROM images)", "the name is that of an image which is not here"),
    (
        "image_digests",
        "repository || '@' || digest",
        "image NOT IN (SELECT id FROM images)",
        "the digest is that of an image which is not here",
    ),
    ("image_layers", "image", "image NOT IN (SELECT id FROM images)", "a layer of an image which is not here"),
    (
        "build_cache",
        "key",
        "boot_id IS NULL AND chain_id NOT IN (SELECT chain_id FROM layers)",
        "a step whose layer is not here",
    ),
    ("held_layers", "chain_id", "chain_id NOT IN (SELECT chain_id FROM layers)", "a kept layer which is not here"),
];

impl Check<'_> {
    pub(super) fn rows(&mut self) -> Result<()> {
        for (table, shown, condition, detail) in STALE {
            for what in self.strings(&format!("SELECT DISTINCT {shown} FROM {table} WHERE {condition}"))? {
                let sql = format!("DELETE FROM {table} WHERE {condition} AND {shown} = ?1");
                self.found(Damage::StaleRow, &what, detail, "drop the row", |check| {
                    check.store.write_durable(|tx| Ok(tx.execute(&sql, [&what]).map(drop)?))
                })?;
            }
        }
        for key in self.strings("SELECT key FROM build_cache WHERE blob IS NOT NULL")? {
            self.cx.check()?;
            let blobs = self.store.read(|db| {
                let mut statement = db.prepare_cached("SELECT blob FROM build_cache WHERE key = ?1")?;
                Ok(statement.query_map([&key], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?)
            })?;
            let Some(blob) = blobs.first() else { continue };
            if !self.store.has_blob(&blob.parse()?) && !self.is_used_by_image(blob)? {
                self.found(Damage::StaleRow, &key, "a step whose blob is not here", "drop the row", |check| {
                    let sql = "DELETE FROM build_cache WHERE key = ?1 AND blob = ?2";
                    check.store.write_durable(|tx| Ok(tx.execute(sql, params![key, blob]).map(drop)?))
                })?;
            }
        }
        let without = "SELECT name FROM containers WHERE image_id <> '' AND image_id NOT IN (SELECT id FROM images)
                       AND image_id NOT IN (SELECT image FROM held_layers)";
        for name in self.strings(without)? {
            let detail = "its image is not here";
            self.found(Damage::ContainerWithoutImage, &name, detail, "bring it back", |_| {
                Err(Error::not_found(format!("remove it: `container(\"{name}\").remove(#{{ force: true }})`")))
            })?;
        }
        Ok(())
    }

    pub(super) fn strings(&self, sql: &str) -> Result<Vec<String>> {
        self.store.read(|db| {
            let mut statement = db.prepare(sql)?;
            Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
        })
    }

    fn is_used_by_image(&self, blob: &str) -> Result<bool> {
        self.store.read(|db| Ok(db.prepare_cached("SELECT 1 FROM image_layers WHERE blob = ?1")?.exists([blob])?))
    }
}
