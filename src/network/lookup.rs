//! Finds networks by what people call them.

use super::rows::{self, Network};
use super::{DEFAULT, canonical};
use crate::error::{Error, Result};
use crate::store::Store;

/// The network with this name, id, or unique beginning of an id.
pub fn find(store: &Store, text: &str) -> Result<Network> {
    let name = canonical(text);
    if name == DEFAULT {
        return rows::default_network(store);
    }
    if let Some(network) = store.read(|db| rows::find(db, name))? {
        return Ok(network);
    }
    let is_prefix = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase());
    let mut found = if is_prefix { store.read(|db| rows::by_prefix(db, text))? } else { Vec::new() };
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(suggest(store, text)),
        _ => Err(Error::invalid(format!("several networks have an id that starts with `{text}`"))
            .hint("give more of the id, or the name")),
    }
}

/// The error for a network that is not there, with the nearest name.
pub fn suggest(store: &Store, name: &str) -> Error {
    let error = Error::not_found(format!("there is no network `{name}`"));
    let names: Vec<String> =
        store.read(rows::all).unwrap_or_default().into_iter().map(|network| network.name).collect();
    let likeness = |known: &String| strsim::jaro_winkler(name, known);
    let nearest = names.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b))).filter(|name| likeness(name) > 0.8);
    match nearest {
        Some(nearest) => error.hint(format!("did you mean `{nearest}`?")),
        None => error.hint(format!("make it: `create_network(\"{name}\")`")),
    }
}
