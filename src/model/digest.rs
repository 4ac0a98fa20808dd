//! Content digests: `sha256:` and 64 hexadecimal digits.

use crate::error::{Error, Result};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::str::FromStr;

/// The SHA-256 digest of a blob, as OCI descriptors name it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(into = "String")]
pub struct Digest(String);

impl Digest {
    /// From the 32 bytes that the hash function gave.
    pub fn from_sha256(bytes: &[u8]) -> Self {
        Self(hex::encode(bytes))
    }

    /// The 64 hexadecimal digits.
    pub fn hex(&self) -> &str {
        &self.0
    }

    /// The first 12 digits, as people read them.
    pub fn short(&self) -> &str {
        &self.0[..12]
    }
}

impl FromStr for Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let Some((algorithm, hex)) = text.split_once(':') else {
            return Err(Error::invalid(format!("`{text}` is not a digest"))
                .hint("a digest is `sha256:` and 64 hexadecimal digits"));
        };
        if algorithm != "sha256" {
            return Err(
                Error::unsupported(format!("digest algorithm `{algorithm}` is not supported")).hint("only sha256 is")
            );
        }
        let valid = hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !valid {
            return Err(Error::invalid(format!("`{text}` is not a digest"))
                .hint("a digest is `sha256:` and 64 lower-case hexadecimal digits"));
        }
        Ok(Self(hex.to_owned()))
    }
}

/// Lists of images hold a hundred thousand: without a string between.
impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Digest;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a digest")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> std::result::Result<Digest, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
