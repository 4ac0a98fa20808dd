//! An image from the tar of a file system: `docker import`.

use super::commit::apply_changes;
use super::state::State;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::events::{self, Occurrence};
use crate::model::{Digest, ImportSpec, Platform, Reference};
use crate::store::Store;
use serde_json::json;
use std::io::Read;

/// Makes the image, of one layer, and gives its id. All of `input` is read.
///
/// # Errors
/// `invalid` for a wrong name or change, before anything is read; `corrupt` when the tar is damaged, `unsupported` when it is
/// compressed in a way that layers are not.
pub fn import(store: &Store, input: &mut (dyn Read + Send), spec: &ImportSpec, cx: &Context) -> Result<Digest> {
    let imported = make(store, input, spec, cx);
    match &imported {
        Ok(id) => {
            let name = spec.reference.clone().unwrap_or_default();
            events::record(store.root(), &[Occurrence::image("import", &id.to_string(), &name)]);
        }
        // A blob that is no layer belongs to nothing.
        Err(_) => drop(store.sweep()),
    }
    imported.map_err(|error| store.explain_full_disk(error, 0))
}

fn make(store: &Store, input: &mut (dyn Read + Send), spec: &ImportSpec, cx: &Context) -> Result<Digest> {
    let names: Vec<Reference> = spec.reference.iter().map(|name| name.parse()).collect::<Result<_>>()?;
    if let Some(name) = names.iter().find(|name| name.digest().is_some()) {
        return Err(
            Error::invalid(format!("`{name}` has a digest, which a name cannot choose")).hint("write it as `name:tag`")
        );
    }
    let mut state = State::scratch(&spec.platform.clone().unwrap_or_else(Platform::host));
    apply_changes(&mut state, &spec.changes)?;
    let content = store.content(&cx.cancel)?;
    let created = jiff::Timestamp::now().to_string();
    let message = spec.message.clone().filter(|message| !message.is_empty());
    let comment = message.unwrap_or_else(|| format!("Imported from {}", spec.source));
    state.add_archive(&content, input, json!({ "created": created, "comment": comment }), cx)?;
    state.set_creation(&created, None);
    state.set_comment(&comment);
    state.commit(&content, &names)
}
