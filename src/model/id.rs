//! Ids: 64 random hexadecimal digits, 12 of them shown.

use crate::error::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The id of a container, network or root.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Id(String);

impl Id {
    /// A new random id.
    pub fn random() -> Result<Self> {
        let mut bytes = [0u8; 32];
        getrandom::fill(&mut bytes)
            .map_err(|error| Error::new(ErrorKind::Io, format!("cannot get random bytes: {error}")))?;
        Ok(Self(hex::encode(bytes)))
    }

    /// Takes a full id: 64 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let full = text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        full.then(|| Self(text.to_owned()))
    }

    /// All 64 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The 12 digits that people read.
    pub fn short(&self) -> &str {
        &self.0[..12]
    }
}

/// The first 12 characters of an id, as people read them.
pub fn short_id(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short())
    }
}
