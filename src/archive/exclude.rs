//! What is left out of a backup.

use super::member::Path;
use crate::error::{Error, Result};
use crate::model::pattern::matches;

/// A pattern such as `*.log`, `cache/*` or `/tmp`. One without a slash is about names in any folder, others are about paths
/// from the top; a folder that is left out takes along what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exclusion {
    components: Vec<Vec<u8>>,
    anywhere: bool,
}

impl Exclusion {
    /// Reads a pattern.
    ///
    /// # Errors
    /// `invalid` when it means nothing, or all.
    pub fn parse(text: &str) -> Result<Self> {
        let components: Vec<Vec<u8>> = text
            .split('/')
            .filter(|component| !matches!(*component, "" | "."))
            .map(|component| component.as_bytes().to_vec())
            .collect();
        if components.is_empty() || components.iter().any(|component| component == b"..") {
            return Err(Error::invalid(format!("`{text}` cannot be left out"))
                .hint("write it as `*.log`, `cache/*` or `/tmp`, from the top of the volume"));
        }
        Ok(Self { components, anywhere: !text.trim_end_matches('/').contains('/') })
    }

    /// Whether a path is meant.
    pub fn means(&self, path: &Path) -> bool {
        let mut components: Vec<&[u8]> = path.as_bytes().split(|byte| *byte == b'/').collect();
        if self.anywhere {
            components.drain(..components.len() - 1);
        }
        components.len() == self.components.len()
            && self.components.iter().zip(components).all(|(pattern, name)| matches(pattern, name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_about_names_or_about_paths() {
        for (pattern, path, expected) in [
            ("*.log", "a.log", true),
            ("*.log", "x/y/a.log", true),
            ("*.log", "a.log.1", false),
            ("cache", "x/cache", true),
            ("cache/", "x/cache", true),
            ("/cache", "cache", true),
            ("/cache", "x/cache", false),
            ("cache/*", "cache/x", true),
            ("cache/*", "x/cache/y", false),
            ("./a/b", "a/b", true),
        ] {
            let path = Path::parse(path.as_bytes()).unwrap();
            assert_eq!(Exclusion::parse(pattern).unwrap().means(&path), expected, "{pattern} {path}");
        }
        for pattern in ["", "/", "..", "a/../b", "./"] {
            assert!(Exclusion::parse(pattern).is_err(), "{pattern}");
        }
    }
}
