//! Image references: `node:18`, `registry:5000/team/app@sha256:…`, as distribution/reference has them.

use super::Digest;
use crate::error::{Error, Result};
use std::fmt;
use std::str::FromStr;

const DEFAULT_REGISTRY: &str = Reference::DEFAULT_REGISTRY;
/// The longest repository name that distribution/reference accepts, host included.
const MAX_NAME: usize = 255;

/// A normalized image reference. `Display` gives the familiar form (`node:18`),
/// [`Reference::canonical`] the full one (`docker.io/library/node:18`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// The registry that names without a host mean.
    pub const DEFAULT_REGISTRY: &str = "docker.io";

    /// Host and port of the registry: `docker.io`, `127.0.0.1:5000`.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// Path inside the registry: `library/node`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag; `latest` when neither tag nor digest was given.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref().or(if self.digest.is_none() { Some("latest") } else { None })
    }

    /// The digest it is pinned to.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// Registry and repository: `docker.io/library/node`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// Whether this could be a tag.
    pub fn is_tag(text: &str) -> bool {
        check_tag(text).is_ok()
    }

    /// As people write the repository: `node`, `127.0.0.1:5000/app`.
    pub fn familiar_name(&self) -> String {
        if self.registry == DEFAULT_REGISTRY {
            let repository = &self.repository;
            repository.strip_prefix("library/").filter(|rest| !rest.contains('/')).unwrap_or(repository).to_owned()
        } else {
            self.name()
        }
    }

    /// The full form, which is what the store keeps: `docker.io/library/node:18`.
    pub fn canonical(&self) -> String {
        self.with_suffix(self.name())
    }

    /// The same repository at a digest.
    #[must_use]
    pub fn at(&self, digest: Digest) -> Self {
        Self { digest: Some(digest), tag: None, ..self.clone() }
    }

    fn with_suffix(&self, mut text: String) -> String {
        if let Some(tag) = self.tag() {
            text.push(':');
            text.push_str(tag);
        }
        if let Some(digest) = &self.digest {
            text.push('@');
            text.push_str(&digest.to_string());
        }
        text
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.with_suffix(self.familiar_name()))
    }
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        parse(text).map_err(|why| {
            let error = Error::invalid(format!("`{text}` is not an image reference: {why}"));
            let lower = text.to_lowercase();
            if lower != text && parse(&lower).is_ok() {
                error.hint(format!("repository names are in lower case: `{lower}`"))
            } else {
                error.hint("write it as `name:tag`, `host:port/name:tag` or `name@sha256:…`")
            }
        })
    }
}

fn parse(text: &str) -> std::result::Result<Reference, String> {
    if text.is_empty() {
        return Err("it is empty".into());
    }
    if text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Err("it looks like an image id".into());
    }
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest.parse::<Digest>().map_err(|e| e.message())?)),
        None => (text, None),
    };
    let last_slash = rest.rfind('/').map_or(0, |i| i + 1);
    let (name, tag) = match rest[last_slash..].find(':') {
        Some(colon) => (&rest[..last_slash + colon], Some(&rest[last_slash + colon + 1..])),
        None => (rest, None),
    };
    if let Some(tag) = tag {
        check_tag(tag)?;
    }
    let (registry, path) = split_registry(name);
    if let Some(registry) = registry {
        check_registry(registry)?;
    }
    let registry = match registry {
        None | Some("index.docker.io") => DEFAULT_REGISTRY,
        Some(registry) => registry,
    };
    if path.is_empty() {
        return Err("the name is missing".into());
    }
    for component in path.split('/') {
        check_component(component)?;
    }
    let repository =
        if registry == DEFAULT_REGISTRY && !path.contains('/') { format!("library/{path}") } else { path.to_owned() };
    if registry.len() + 1 + repository.len() > MAX_NAME {
        return Err(format!("the name is longer than {MAX_NAME} characters"));
    }
    Ok(Reference { registry: registry.to_owned(), repository, tag: tag.map(str::to_owned), digest })
}

/// Docker's rule: the first component is a host when it has a dot, a colon, upper case, or is `localhost`.
fn split_registry(name: &str) -> (Option<&str>, &str) {
    match name.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" || first.to_lowercase() != first => {
            (Some(first), rest)
        }
        _ => (None, name),
    }
}

fn check_registry(registry: &str) -> std::result::Result<(), String> {
    let bad = || Err(format!("`{registry}` is not a host name"));
    let (host, port) = match registry.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((host, port)) => {
                if !host.bytes().all(|b| b.is_ascii_hexdigit() || b == b':') || host.is_empty() {
                    return bad();
                }
                ("v6", port.strip_prefix(':').or(if port.is_empty() { None } else { Some("x") }))
            }
            None => return bad(),
        },
        None => match registry.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (registry, None),
        },
    };
    if port.is_some_and(|port| port.is_empty() || !port.bytes().all(|b| b.is_ascii_digit())) {
        return bad();
    }
    let label_ok = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if host.split('.').all(label_ok) { Ok(()) } else { bad() }
}

fn check_tag(tag: &str) -> std::result::Result<(), String> {
    let valid = !tag.is_empty()
        && tag.len() <= 128
        && tag.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
        && !tag.starts_with(['.', '-']);
    if valid { Ok(()) } else { Err(format!("`{tag}` is not a tag")) }
}

/// `[a-z0-9]+` parts joined by `.`, `_`, `__` or any number of `-`.
fn check_component(component: &str) -> std::result::Result<(), String> {
    let bytes = component.as_bytes();
    let alnum = |b: &u8| matches!(b, b'a'..=b'z' | b'0'..=b'9');
    let mut i = 0;
    loop {
        let start = i;
        while bytes.get(i).is_some_and(alnum) {
            i += 1;
        }
        if i == start {
            return Err(format!("`{component}` is not a valid part of a name"));
        }
        if i == bytes.len() {
            return Ok(());
        }
        match bytes[i] {
            b'_' if bytes.get(i + 1) == Some(&b'_') => i += 2,
            b'.' | b'_' => i += 1,
            b'-' => {
                while bytes.get(i) == Some(&b'-') {
                    i += 1;
                }
            }
            _ => return Err(format!("`{component}` is not a valid part of a name")),
        }
    }
}
