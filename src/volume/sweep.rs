//! What killed processes left of volumes is taken away by the next command.

use super::{filling, remove, row};
use crate::error::{IoContext, Result};
use crate::store::{Store, draft};
use std::collections::HashSet;
use std::fs;

/// Takes away drafts of dead processes, folders without a row, and what was left half filled.
pub fn sweep(store: &Store) -> Result<()> {
    let folder = store.volume_dir("");
    let doing = || format!("cannot list `{}`", folder.display());
    let known: HashSet<String> = store.read(row::names)?.into_iter().collect();
    for entry in fs::read_dir(&folder).doing(doing)? {
        let name = entry.doing(doing)?.file_name().to_string_lossy().into_owned();
        match draft::has_maker(&name) {
            Some(true) => {}
            Some(false) => store.discard(&folder.join(&name))?,
            // It waits for its deletion.
            None if name.starts_with('.') => {}
            None if known.contains(&name) => filling::sweep(store, &name)?,
            None => remove::discard(store, &name)?,
        }
    }
    Ok(())
}
