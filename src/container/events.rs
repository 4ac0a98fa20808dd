//! What commands write down about containers. What happens while one runs, its monitor does.

use super::row::Row;
use crate::events::{self, Occurrence};
use crate::store::Store;

/// Writes down that something happened to a container; called when it is in the database.
pub fn record(store: &Store, row: &Row, action: &str) {
    record_with(store, row, action, &[]);
}

/// The same with what belongs to the action.
pub fn record_with(store: &Store, row: &Row, action: &str, attributes: &[(&str, &str)]) {
    let occurrence = Occurrence::container(action, row.id.as_str(), &row.name, &row.image, &row.plan.labels);
    let occurrence = attributes.iter().fold(occurrence, |occurrence, (name, value)| occurrence.with(name, value));
    events::record(store.root(), &[occurrence]);
}
