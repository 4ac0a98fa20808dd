//! A container that was to be started again.

use serde::Serialize;

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Recovered {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Why it could not be started.
    pub error: Option<String>,
}
