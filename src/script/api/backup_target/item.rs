//! A file that is somewhere.

use crate::script::binding::{Object, api};

/// A file in a [`super::location::Location`].
#[derive(Clone, Debug, Object)]
#[object(name = "StoredFile")]
pub struct Item {
    /// Its name there.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// When it was written.
    pub modified: Option<jiff::Timestamp>,
}

#[api]
impl Item {
    /// Its name there.
    #[get(column)]
    pub fn name(&self) -> String {
        self.name.clone()
    }

    /// Its bytes.
    #[get(column, shown = crate::script::api::shown::size)]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// When it was written; `()` where nobody says.
    #[get(column)]
    pub fn modified(&self) -> Option<jiff::Timestamp> {
        self.modified
    }
}
