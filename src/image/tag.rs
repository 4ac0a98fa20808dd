//! Another name for an image.

use super::lookup;
use super::summary::touch;
use crate::error::{Error, Result};
use crate::events::{self, Occurrence};
use crate::model::{Digest, Reference};
use crate::store::Store;
use crate::store::rusqlite::params;

/// Gives the image that `text` means the name `new`, which another image may lose by it. Gives the image's id.
pub fn tag(store: &Store, text: &str, new: &str) -> Result<Digest> {
    let name: Reference = new.parse()?;
    if name.digest().is_some() {
        return Err(
            Error::invalid(format!("`{new}` has a digest, which a name cannot choose")).hint("write it as `name:tag`")
        );
    }
    lookup::require(store, text)?;
    // Durable like the image itself; looked up again, because it may be gone by now.
    let id = store.write_durable(|tx| {
        let id = lookup::find_in(tx, text)?
            .ok_or_else(|| Error::not_found(format!("image `{text}` was removed meanwhile")))?;
        tx.execute(
            "INSERT OR REPLACE INTO image_names (name, image) VALUES (?1, ?2)",
            params![name.canonical(), id.to_string()],
        )?;
        touch(tx, &id.to_string(), true)?;
        Ok(id)
    })?;
    events::record(store.root(), &[Occurrence::image("tag", &id.to_string(), &name.to_string())]);
    Ok(id)
}
