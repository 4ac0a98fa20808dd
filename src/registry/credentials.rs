//! Credentials of registries, and the file that Docker and Podman keep them in.

use crate::error::{Error, IoContext, Result};
use crate::model::Reference;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

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

/// The `auths` of a `config.json` of Docker or an `auth.json` of Podman. Read when a registry asks.
pub struct AuthFile {
    path: Option<PathBuf>,
    must_exist: bool,
}

impl AuthFile {
    /// This file; it is no error when it does not exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: Some(path.into()), must_exist: false }
    }

    /// `$REGISTRY_AUTH_FILE`, else `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`.
    pub fn of_the_environment() -> Self {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        if let Some(path) = variable("REGISTRY_AUTH_FILE") {
            return Self { path: Some(path), must_exist: true };
        }
        let folder = variable("DOCKER_CONFIG").or_else(|| variable("HOME").map(|home| home.join(".docker")));
        Self { path: folder.map(|folder| folder.join("config.json")), must_exist: false }
    }
}

impl CredentialProvider for AuthFile {
    fn credential(&self, registry: &str, repository: &str) -> Result<Option<Credential>> {
        let Some(path) = &self.path else { return Ok(None) };
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !self.must_exist => return Ok(None),
            Err(error) => return Err(error).doing(|| format!("cannot read credentials from `{}`", path.display())),
        };
        let file: File = serde_json::from_slice(&text).map_err(|error| broken(path, &error))?;
        match file.entry_for(registry, repository) {
            Some(entry) => entry.credential().map_err(|why| broken(path, &why)),
            None => Ok(None),
        }
    }
}

fn broken(path: &Path, why: &impl fmt::Display) -> Error {
    Error::invalid(format!("cannot read credentials from `{}`: {why}", path.display()))
        .hint("log in again, or repair the file")
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
}

impl File {
    /// Podman's keys may go down to a repository; the longest that fits wins.
    fn entry_for(&self, registry: &str, repository: &str) -> Option<&Entry> {
        let wanted = format!("{registry}/{repository}");
        let fits = |key: &str| {
            wanted.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) && !key.is_empty()
        };
        let normalized = self.auths.iter().map(|(key, entry)| (normalize(key), entry));
        normalized.filter(|(key, _)| fits(key)).max_by_key(|(key, _)| key.len()).map(|(_, entry)| entry)
    }
}

/// `https://index.docker.io/v1/`, `https://host` and `host` are all in use as keys.
fn normalize(key: &str) -> String {
    let key = key.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('/');
    let key = key.strip_suffix("/v1").or_else(|| key.strip_suffix("/v2")).unwrap_or(key);
    match key.strip_prefix("index.docker.io").or_else(|| key.strip_prefix("registry-1.docker.io")) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("{}{rest}", Reference::DEFAULT_REGISTRY),
        _ => key.to_owned(),
    }
}

impl Entry {
    /// The reason never quotes the entry: it holds the secret.
    fn credential(&self) -> Result<Option<Credential>, &'static str> {
        if !self.identitytoken.is_empty() {
            return Ok(Some(Credential::IdentityToken(Secret::new(&self.identitytoken))));
        }
        if !self.auth.is_empty() {
            let decoded = STANDARD.decode(self.auth.trim()).map_err(|_| "`auth` is not base64")?;
            let text = String::from_utf8(decoded).map_err(|_| "`auth` does not hold text")?;
            let (user, password) = text.split_once(':').ok_or("`auth` does not hold `user:password`")?;
            // Docker has been seen to pad the password with NUL bytes.
            let password = Secret::new(password.trim_end_matches('\0'));
            return Ok(Some(Credential::Basic { user: user.to_owned(), password }));
        }
        if self.username.is_empty() {
            // A credential helper keeps what Docker left out here.
            return Ok(None);
        }
        Ok(Some(Credential::Basic { user: self.username.clone(), password: Secret::new(&self.password) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(json: &str) -> (tempfile::TempDir, AuthFile) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        fs::write(&path, json).unwrap();
        (folder, AuthFile::new(path))
    }

    fn basic(user: &str, password: &str) -> Credential {
        Credential::Basic { user: user.into(), password: Secret::new(password) }
    }

    #[test]
    fn keys_are_found_however_the_tool_wrote_them() {
        let (_folder, file) = file(
            r#"{"auths": {
                "https://index.docker.io/v1/": {"auth": "aHViOnB3"},
                "https://other.example": {"auth": "bzpwOnc="},
                "quay.example/team": {"username": "team", "password": "t"},
                "quay.example": {"username": "all", "password": "a"},
                "refresh.example": {"auth": "eDp5", "identitytoken": "tok"},
                "helper.example": {}
            }}"#,
        );
        let cases = [
            ("docker.io", "library/node", Some(basic("hub", "pw"))),
            ("other.example", "x", Some(basic("o", "p:w"))),
            ("quay.example", "team/app", Some(basic("team", "t"))),
            ("quay.example", "teams/app", Some(basic("all", "a"))),
            ("refresh.example", "x", Some(Credential::IdentityToken(Secret::new("tok")))),
            ("helper.example", "x", None),
            ("unknown.example", "x", None),
        ];
        for (registry, repository, expected) in cases {
            assert_eq!(file.credential(registry, repository).unwrap(), expected, "{registry}/{repository}");
        }
    }

    #[test]
    fn a_broken_file_is_named_and_its_secrets_are_not() {
        let (_folder, file) = file(r#"{"auths": {"a.example": {"auth": "c2VjcmV0"}}}"#);
        let error = file.credential("a.example", "x").expect_err("no colon inside");
        assert!(error.message().contains("config.json") && !format!("{error:?}").contains("secret"), "{error:?}");
    }

    #[test]
    fn a_file_that_does_not_exist_means_anonymous() {
        assert_eq!(AuthFile::new("/nonexistent/config.json").credential("a.example", "x").unwrap(), None);
    }

    #[test]
    fn debug_output_hides_the_password() {
        assert!(!format!("{:?}", basic("u", "hunter2")).contains("hunter2"));
    }
}
