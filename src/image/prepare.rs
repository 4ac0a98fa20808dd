//! What a container needs of an image.

use super::config::read_config_and_health;
use super::lookup;
use crate::error::{Error, Result};
use crate::model::{Digest, HealthcheckSpec};
use crate::store::Store;
use crate::store::rusqlite::Connection;
use oci_spec::image::ImageConfiguration;
use std::path::PathBuf;

/// An image, ready to be run.
#[derive(Clone, Debug)]
pub struct RunnableImage {
    /// Digest of its config.
    pub id: Digest,
    /// How it wants to be run.
    pub config: ImageConfiguration,
    /// How its health is checked: Docker's extension of the config.
    pub health: Option<HealthcheckSpec>,
    /// Folders for overlayfs, the topmost first.
    pub layers: Vec<PathBuf>,
}

/// Finds an image of the store and where its layers are.
///
/// It may be removed before the container has its row: whoever inserts that calls
/// [`ensure_present`] in the same transaction. From then on the row keeps it.
///
/// # Errors
/// `not_found` when it is not here.
pub fn prepare(store: &Store, text: &str) -> Result<RunnableImage> {
    prepare_id(store, lookup::require(store, text)?)
}

/// The same, by id.
pub fn prepare_id(store: &Store, id: Digest) -> Result<RunnableImage> {
    let (config, health) = read_config_and_health(store, &id)?;
    let chain_ids: Vec<String> = store.read(|db| {
        let mut statement =
            db.prepare_cached("SELECT chain_id FROM image_layers WHERE image = ?1 ORDER BY position DESC")?;
        Ok(statement.query_map([id.to_string()], |row| row.get(0))?.collect::<Result<_, _>>()?)
    })?;
    let mut layers = Vec::with_capacity(chain_ids.len());
    for chain_id in chain_ids {
        layers.push(store.layer_folder(&chain_id.parse()?));
    }
    Ok(RunnableImage { id, config, health, layers })
}

/// Fails unless the image is still there. In the transaction that inserts a container's row it makes
/// sure that the image stays.
pub fn ensure_present(db: &Connection, id: &Digest) -> Result<()> {
    let mut statement = db.prepare_cached("SELECT 1 FROM images WHERE id = ?1")?;
    if statement.exists([id.to_string()])? {
        return Ok(());
    }
    Err(Error::not_found(format!("image `{}` was removed meanwhile", id.short())))
}
