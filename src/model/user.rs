//! The user of a process as text: `user`, `user:group`, `uid`, `uid:gid`.

use crate::error::{Error, Result};
use std::str::FromStr;

/// Names or numbers, not looked up yet: they belong to the image's `/etc/passwd` and `/etc/group`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserSpec {
    /// Name or number; empty: root.
    pub user: String,
    /// Name or number; `None`: the user's own.
    pub group: Option<String>,
}

impl FromStr for UserSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (user, group) = match text.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (text, None),
        };
        let odd = |part: &str| part.contains(|c: char| c == ':' || c == '/' || c.is_whitespace() || c.is_control());
        if odd(user) || group.is_some_and(|group| group.is_empty() || odd(group)) {
            return Err(Error::invalid(format!("`{text}` is not a user"))
                .hint("write it as `user`, `user:group`, `1000` or `1000:1000`"));
        }
        Ok(Self { user: user.to_owned(), group: group.map(str::to_owned) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_groups_are_names_or_numbers() {
        for (text, user, group) in
            [("", "", None), ("node", "node", None), ("1000:50", "1000", Some("50")), (":wheel", "", Some("wheel"))]
        {
            let expected = UserSpec { user: user.into(), group: group.map(str::to_owned) };
            assert_eq!(text.parse::<UserSpec>().ok(), Some(expected), "{text}");
        }
        for text in ["a:", "a:b:c", "a b", "a:b c", "../x", "a\n"] {
            assert!(text.parse::<UserSpec>().is_err(), "{text}");
        }
    }
}
