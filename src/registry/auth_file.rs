//! The file that Docker and Podman keep credentials in: read when a registry asks, changed by `login` and `logout`.

use super::credentials::{Credential, CredentialProvider, Secret};
use super::helper::Helper;
use crate::context::CancelToken;
use crate::error::{Error, IoContext, Result};
use crate::model::Reference;
use crate::sys::lock::{FileLock, LockMode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, fchown};
use std::path::{Path, PathBuf};

/// Under this key Docker has its Hub.
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";

/// A `config.json` of Docker or an `auth.json` of Podman: its `auths`, and the helpers that it names.
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

    /// Keeps the credentials for a registry, as `docker login` does: in the helper that the file names for it, else in
    /// the file, which nobody else may read then. What else is in the file stays.
    pub fn store(&self, registry: &str, user: &str, password: &Secret, cancel: &CancelToken) -> Result<()> {
        if user.is_empty() || user.contains(':') || user.contains('\n') {
            return Err(Error::invalid(format!("`{}` cannot be the name of a user", user.escape_debug())));
        }
        self.change(cancel, |path, file| {
            let key = key(registry);
            let entry = match named_helper(path, file, registry)? {
                Some(helper) => {
                    Helper(&helper).store(&key, user, password)?;
                    json!({})
                }
                None => json!({ "auth": STANDARD.encode(format!("{user}:{}", password.expose())) }),
            };
            let auths = auths(path, file)?;
            auths.retain(|other, _| normalize(other) != registry);
            auths.insert(key, entry);
            Ok(true)
        })
        .map(drop)
    }

    /// Forgets those for a registry. Whether there were any.
    pub fn erase(&self, registry: &str, cancel: &CancelToken) -> Result<bool> {
        if self.path.as_ref().is_none_or(|path| !path.exists()) {
            return Ok(false);
        }
        self.change(cancel, |path, file| {
            let helper = named_helper(path, file, registry)?;
            let mut known = helper.map_or(Ok(false), |helper| Helper(&helper).erase(&key(registry)))?;
            let auths = auths(path, file)?;
            let before = auths.len();
            auths.retain(|other, _| normalize(other) != registry);
            known |= auths.len() < before;
            Ok(known)
        })
    }

    /// Reads the file, lets `change` say whether it has changed, and replaces it in one step. Others who change it at
    /// the same time wait.
    fn change(
        &self,
        cancel: &CancelToken,
        change: impl FnOnce(&Path, &mut Map<String, Value>) -> Result<bool>,
    ) -> Result<bool> {
        let Some(path) = &self.path else {
            return Err(Error::invalid("there is no place for credentials").hint("set `HOME` or `DOCKER_CONFIG`"));
        };
        let doing = || format!("cannot write credentials to `{}`", path.display());
        // A link to a file that is kept elsewhere stays a link.
        let path = &fs::canonicalize(path).unwrap_or_else(|_| path.clone());
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).doing(doing)?;
        let _lock = FileLock::lock(File::open(folder).doing(doing)?, LockMode::Exclusive, cancel)?;
        let mut file: Map<String, Value> = match fs::read(path) {
            Ok(text) if text.trim_ascii().is_empty() => Map::new(),
            Ok(text) => serde_json::from_slice(&text).map_err(|error| broken(path, &error))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Map::new(),
            Err(error) => return Err(error).doing(|| format!("cannot read credentials from `{}`", path.display())),
        };
        if !change(path, &mut file)? {
            return Ok(false);
        }
        // Only its owner may read a temporary file.
        let mut new = tempfile::Builder::new().prefix(".config-").tempfile_in(folder).doing(doing)?;
        let mut text = Vec::new();
        let tabs = serde_json::ser::PrettyFormatter::with_indent(b"\t");
        file.serialize(&mut serde_json::Serializer::with_formatter(&mut text, tabs))
            .map_err(|error| broken(path, &error))?;
        new.write_all(&text).and_then(|()| new.as_file().sync_all()).doing(doing)?;
        if let Ok(old) = fs::metadata(path) {
            // A user's file stays that user's when root logs in; where that may not be, it is ours.
            let _ = fchown(new.as_file(), Some(old.uid()), Some(old.gid()));
        }
        new.persist(path).map_err(|error| error.error).doing(doing)?;
        Ok(true)
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
        if text.trim_ascii().is_empty() {
            return Ok(None);
        }
        let file: Contents = serde_json::from_slice(&text).map_err(|error| broken(path, &error))?;
        if let Some(helper) = file.helper_for(registry)
            && let Some(credential) = Helper(helper).get(&key(registry))?
        {
            return Ok(Some(credential));
        }
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

fn named_helper(path: &Path, file: &Map<String, Value>, registry: &str) -> Result<Option<String>> {
    let contents: Contents =
        serde_json::from_value(Value::Object(file.clone())).map_err(|error| broken(path, &error))?;
    Ok(contents.helper_for(registry).map(str::to_owned))
}

fn auths<'a>(path: &Path, file: &'a mut Map<String, Value>) -> Result<&'a mut Map<String, Value>> {
    let auths = file.entry("auths").or_insert_with(|| json!({}));
    auths.as_object_mut().ok_or_else(|| broken(path, &"`auths` is no map"))
}

/// Docker's key for a registry.
fn key(registry: &str) -> String {
    if registry == Reference::DEFAULT_REGISTRY { DOCKER_HUB_KEY.to_owned() } else { registry.to_owned() }
}

#[derive(Deserialize)]
struct Contents {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    #[serde(default, rename = "credsStore")]
    store: String,
    #[serde(default, rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
}

impl Contents {
    /// The helper of this registry, else the one for all.
    fn helper_for(&self, registry: &str) -> Option<&str> {
        let own = self.helpers.iter().find(|(key, _)| normalize(key) == registry).map(|(_, helper)| helper);
        own.or(Some(&self.store)).map(String::as_str).filter(|helper| !helper.is_empty())
    }

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
    use std::os::unix::fs::PermissionsExt as _;

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
    fn what_login_writes_is_found_again_and_the_rest_of_the_file_stays() {
        let (folder, file) = file(r#"{"auths": {"https://a.example": {"auth": "eDp5"}}, "HttpHeaders": {"X": "y"}}"#);
        let cancel = CancelToken::new();
        let path = folder.path().join("config.json");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        for registry in ["a.example", "docker.io", "127.0.0.1:5000"] {
            file.store(registry, "me", &Secret::new("p:w"), &cancel).unwrap();
            assert_eq!(file.credential(registry, "any/app").unwrap(), Some(basic("me", "p:w")));
        }
        let written: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let keys: Vec<&String> = written["auths"].as_object().unwrap().keys().collect();
        assert_eq!(keys, ["a.example", DOCKER_HUB_KEY, "127.0.0.1:5000"]);
        assert_eq!(written["HttpHeaders"]["X"], "y");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(file.erase("docker.io", &cancel).unwrap() && !file.erase("docker.io", &cancel).unwrap());
        assert_eq!(file.credential("docker.io", "x").unwrap(), None);
        assert!(file.credential("a.example", "x").unwrap().is_some());
        assert!(file.store("a.example", "a:b", &Secret::new("x"), &cancel).is_err(), "a colon ends the user");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn debug_output_hides_the_password() {
        assert!(!format!("{:?}", basic("u", "hunter2")).contains("hunter2"));
    }
}
