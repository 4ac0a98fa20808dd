//! Content digests: `sha256:` and 64 hexadecimal digits.

use crate::error::{Error, Result};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::str::FromStr;

/// The SHA-256 digest of a blob, as OCI descriptors name it: its digits, in place.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(into = "String")]
pub struct Digest([u8; 64]);

impl Digest {
    /// From the 32 bytes that the hash function gave.
    pub fn from_sha256(bytes: &[u8]) -> Self {
        let mut digits = [0; 64];
        digits.copy_from_slice(hex::encode(bytes).as_bytes());
        Self(digits)
    }

    /// From its 64 hexadecimal digits, in lower case; `None` when these are others.
    pub fn from_hex(digits: &[u8]) -> Option<Self> {
        let digits: [u8; 64] = digits.try_into().ok()?;
        digits.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')).then_some(Self(digits))
    }

    /// The 64 hexadecimal digits.
    pub fn hex(&self) -> &str {
        // Digits are ASCII.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The first 12 digits, as people read them.
    pub fn short(&self) -> &str {
        &self.hex()[..12]
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
        Self::from_hex(hex.as_bytes()).ok_or_else(|| {
            Error::invalid(format!("`{text}` is not a digest"))
                .hint("a digest is `sha256:` and 64 lower-case hexadecimal digits")
        })
    }
}

/// Without a string between: a long list of images holds a hundred thousand.
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
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
