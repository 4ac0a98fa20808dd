//! Image references: `node:18`, `registry:5000/team/app@sha256:…`, as distribution/reference has them.

use super::Digest;
use crate::error::{Error, Result};
use std::fmt;
use std::str::FromStr;

const DEFAULT_REGISTRY: &str = Reference::DEFAULT_REGISTRY;
/// What references without tag and digest mean.
const DEFAULT_TAG: &str = "latest";
/// The longest path inside a registry that distribution/reference accepts.
const MAX_REPOSITORY: usize = 255;

/// A normalized image reference. `Display` gives the familiar form (`node:18`),
/// [`Reference::canonical`] the full one (`docker.io/library/node:18`). It has either a tag or a digest:
/// a tag beside a digest says nothing more and is dropped, as Docker does.
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

    /// The tag, `latest` when none was given; `None` when it is pinned to a digest.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
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
        // Without its registry `docker.io/example.com/app` would be an image of another one.
        if self.registry != DEFAULT_REGISTRY || split_registry(&self.repository).0.is_some() {
            return self.name();
        }
        let repository = &self.repository;
        repository.strip_prefix("library/").filter(|rest| !rest.contains('/')).unwrap_or(repository).to_owned()
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
    if repository.len() > MAX_REPOSITORY {
        return Err(format!("the name is longer than {MAX_REPOSITORY} characters"));
    }
    let tag = if digest.is_some() { None } else { Some(tag.unwrap_or(DEFAULT_TAG).to_owned()) };
    Ok(Reference { registry: registry.to_owned(), repository, tag, digest })
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

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn references_are_normalized() {
        // As written; canonical; familiar. `@` stands for a digest.
        let cases = [
            ("node", "docker.io/library/node:latest", "node:latest"),
            ("node:18", "docker.io/library/node:18", "node:18"),
            ("library/node", "docker.io/library/node:latest", "node:latest"),
            ("docker.io/node", "docker.io/library/node:latest", "node:latest"),
            ("index.docker.io/library/node", "docker.io/library/node:latest", "node:latest"),
            ("team/app", "docker.io/team/app:latest", "team/app:latest"),
            ("library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"),
            ("library", "docker.io/library/library:latest", "library:latest"),
            ("node@", "docker.io/library/node@", "node@"),
            ("node:18@", "docker.io/library/node@", "node@"),
            ("localhost/app", "localhost/app:latest", "localhost/app:latest"),
            ("localhost:5000/app:v1", "localhost:5000/app:v1", "localhost:5000/app:v1"),
            ("127.0.0.1:5000/a/b", "127.0.0.1:5000/a/b:latest", "127.0.0.1:5000/a/b:latest"),
            ("[::1]:5000/app", "[::1]:5000/app:latest", "[::1]:5000/app:latest"),
            ("Host/app", "Host/app:latest", "Host/app:latest"),
            ("ghcr.io/o/x__y/a---b.c", "ghcr.io/o/x__y/a---b.c:latest", "ghcr.io/o/x__y/a---b.c:latest"),
            // What would be a host without one before it.
            ("docker.io/a.example/app", "docker.io/a.example/app:latest", "docker.io/a.example/app:latest"),
            ("docker.io/localhost/app", "docker.io/localhost/app:latest", "docker.io/localhost/app:latest"),
            // Without a slash the part before the colon is no host.
            ("example.com:5000", "docker.io/library/example.com:5000", "example.com:5000"),
        ];
        let digest = |text: &str| text.replace('@', &format!("@sha256:{HEX}"));
        for (written, canonical, familiar) in cases {
            let reference: Reference = digest(written).parse().expect(written);
            assert_eq!(reference.canonical(), digest(canonical), "{written}");
            assert_eq!(reference.to_string(), digest(familiar), "{written}");
            assert_eq!(reference.canonical().parse::<Reference>().unwrap(), reference, "{written}");
            assert_eq!(reference.to_string().parse::<Reference>().unwrap(), reference, "{written}");
        }
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        let long_tag = format!("a:{}", "t".repeat(129));
        let long_name = format!("host.example/{}", "a".repeat(256));
        let cases = [
            "",
            ":tag",
            "@",
            "a/",
            "/a",
            "a//b",
            "-a",
            "a-",
            "a..b",
            "a___b",
            "a._b",
            "a b",
            "a\n",
            "Node",
            "a/B",
            "a:",
            "a:-t",
            "a:t:u",
            "a@sha256:abc",
            "a@sha512:abc",
            "a@b@c",
            "-host.example/a",
            "host-.example/a",
            "ho_st.example/a",
            "host.example:/a",
            "host.example:x/a",
            "[::1]5000/a",
            "[::1%eth0]:5000/a",
            "[]/a",
            "fc00::1:5000/a",
            "https://host.example/a",
            HEX,
            &long_tag,
            &long_name,
        ];
        for text in cases {
            assert!(text.parse::<Reference>().is_err(), "`{text}` was accepted");
        }
        assert!(format!("host.example/{}", "a".repeat(255)).parse::<Reference>().is_ok());
    }

    #[test]
    fn a_name_in_upper_case_gets_the_lower_one_as_hint() {
        let error = "team/Node:18".parse::<Reference>().expect_err("upper case");
        assert!(error.hint_text().unwrap().contains("`team/node:18`"), "{error:?}");
    }
}
