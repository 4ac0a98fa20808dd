//! Labels as text: `key=value`, or `key` for an empty value.

use crate::error::{Error, Result};

/// Key and value; the key may hold no white space (docker/cli `opts.ValidateLabel`).
pub fn parse(text: &str) -> Result<(String, String)> {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    let key = key.trim_start();
    if key.is_empty() {
        return Err(Error::invalid(format!("the label `{text}` has no name")).hint("write it as `key=value`"));
    }
    if key.contains(char::is_whitespace) {
        return Err(Error::invalid(format!("the name of the label `{text}` contains white space")));
    }
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_a_key_and_a_value() {
        for (text, key, value) in [
            ("k=v", "k", "v"),
            ("k", "k", ""),
            ("  k= v ", "k", " v "),
            ("k=a=b", "k", "a=b"),
            ("\"q\"={\"x\"}", "\"q\"", "{\"x\"}"),
        ] {
            assert_eq!(parse(text).ok(), Some((key.into(), value.into())), "{text}");
        }
        for text in ["", " ", "=v", "a b", "a b=c"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
