//! Removes volumes.

use super::lookup::{self, shown};
use super::users::{self, User};
use super::{events, row};
use crate::error::{Error, Result};
use crate::store::Store;
use crate::store::scopes::{self, ItemKind};

/// Removes a volume that no container has, with all that is in it.
///
/// # Errors
/// `not_found`, and `conflict` when a container has it, whether it runs or not.
pub fn remove(store: &Store, name: &str) -> Result<()> {
    // On the disk before the files go: else a power loss could bring back the row of an empty volume.
    store.write_durable(|tx| {
        if !row::exists(tx, name)? {
            return Err(lookup::not_found(name, &row::names(tx)?));
        }
        refuse_users(name, &users::of(tx, name)?)?;
        row::delete(tx, name)?;
        scopes::release(tx, ItemKind::Volume, name)
    })?;
    discard(store, name)?;
    events::destroyed(store, name);
    Ok(())
}

/// Moves the folder of a volume whose row is gone out of sight. A new volume may have taken the name meanwhile.
pub fn discard(store: &Store, name: &str) -> Result<()> {
    store.write(|tx| if row::exists(tx, name)? { Ok(()) } else { store.discard(&store.volume_dir(name)) })
}

fn refuse_users(name: &str, users: &[User]) -> Result<()> {
    let Some(first) = users.first() else { return Ok(()) };
    let names: Vec<_> = users.iter().map(|user| format!("`{}`", user.name)).collect();
    let containers = if users.len() == 1 { "container" } else { "containers" };
    Err(Error::conflict(format!("volume `{}` is used by {containers} {}", shown(name), names.join(", ")))
        .hint(format!("remove what uses it first: `container(\"{}\").remove(#{{ force: true }})`", first.name)))
}
