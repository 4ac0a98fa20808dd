//! A text that is shown nowhere.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A secret value. It goes where it is used, and into no message: `Debug` hides it. Written as JSON it is itself, for the
/// sockets between our own processes; whoever stores it on a disk makes a mistake.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Takes it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Gives it to who needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        let secret = vec![("TOKEN".to_owned(), Secret::new("hunter2"))];
        assert!(!format!("{secret:?} {secret:#?}").contains("hunter2"));
        assert_eq!(secret[0].1.reveal(), "hunter2");
    }
}
