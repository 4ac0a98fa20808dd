//! What happens to volumes, as Docker tells it.

use crate::events::{self, Occurrence};
use crate::store::Store;

/// One was made.
pub fn created(store: &Store, name: &str) {
    events::record(store.root(), &[Occurrence::volume("create", name)]);
}

/// One was removed.
pub fn destroyed(store: &Store, name: &str) {
    events::record(store.root(), &[Occurrence::volume("destroy", name)]);
}
