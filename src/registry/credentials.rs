//! Credentials of registries, and who knows them.

use crate::error::Result;
use std::fmt;

/// Text that never shows up in messages and logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself: only for what goes onto the wire.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// What a registry is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// A user and the password, or an access token in place of one.
    Basic {
        /// User name.
        user: String,
        /// Password.
        password: Secret,
    },
    /// An OAuth refresh token, which a token server turns into access tokens.
    IdentityToken(Secret),
}

/// Knows the credentials of registries.
pub trait CredentialProvider: Send + Sync {
    /// Those for this repository of a registry (`docker.io`, `127.0.0.1:5000`), if there are any.
    /// `repository` is empty for questions about the registry as a whole.
    fn credential(&self, registry: &str, repository: &str) -> Result<Option<Credential>>;
}

/// Always anonymous.
pub struct NoCredentials;

impl CredentialProvider for NoCredentials {
    fn credential(&self, _registry: &str, _repository: &str) -> Result<Option<Credential>> {
        Ok(None)
    }
}
