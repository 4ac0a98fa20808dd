//! Host paths with `*`, `?` and `[…]`, as a shell has them.

use crate::archive::names;
use crate::error::Result;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// The paths that a pattern means, in order. One without special characters means itself, there or not.
pub fn expand(pattern: &Path) -> Result<Vec<PathBuf>> {
    let mut found = vec![PathBuf::new()];
    for component in pattern.components() {
        let Component::Normal(name) = component else {
            found = found.iter().map(|path| path.join(component)).collect();
            continue;
        };
        if !name.as_bytes().iter().any(|byte| matches!(byte, b'*' | b'?' | b'[')) {
            found = found.iter().map(|path| path.join(name)).collect();
            continue;
        }
        let mut next = Vec::new();
        for folder in found {
            let folder_or_here = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
            if !folder_or_here.is_dir() {
                continue;
            }
            for entry in names(folder_or_here)? {
                if matches(name.as_bytes(), entry.as_bytes()) {
                    next.push(folder.join(entry));
                }
            }
        }
        found = next;
    }
    // What follows a pattern has to be there: `*/name` does not mean folders without one.
    if is_pattern(pattern.as_os_str()) {
        found.retain(|path| path.symlink_metadata().is_ok());
    }
    Ok(found)
}

/// Whether a path has special characters.
pub fn is_pattern(path: &OsStr) -> bool {
    path.as_bytes().iter().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

/// Whether one name matches. A leading dot has to be written, as in a shell.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    if name.first() == Some(&b'.') && pattern.first() != Some(&b'.') {
        return false;
    }
    matches_from(pattern, name)
}

fn matches_from(pattern: &[u8], name: &[u8]) -> bool {
    match pattern {
        [] => name.is_empty(),
        [b'*', rest @ ..] => (0..=name.len()).any(|skip| matches_from(rest, &name[skip..])),
        [b'?', rest @ ..] => !name.is_empty() && matches_from(rest, &name[1..]),
        [b'[', rest @ ..] => match (set(rest), name) {
            (Some((set, rest)), [first, name @ ..]) => in_set(set, *first) && matches_from(rest, name),
            (None, [b'[', name @ ..]) => matches_from(rest, name),
            _ => false,
        },
        [byte, rest @ ..] => name.first() == Some(byte) && matches_from(rest, &name[1..]),
    }
}

/// What is between the brackets, and what follows.
fn set(pattern: &[u8]) -> Option<(&[u8], &[u8])> {
    let start = usize::from(matches!(pattern.first(), Some(b'!' | b'^')));
    let end = pattern.iter().skip(start + 1).position(|byte| *byte == b']')? + start + 1;
    Some((&pattern[..end], &pattern[end + 1..]))
}

fn in_set(set: &[u8], byte: u8) -> bool {
    let (negated, mut set) = match set {
        [b'!' | b'^', rest @ ..] => (true, rest),
        set => (false, set),
    };
    let mut found = false;
    while let [first, rest @ ..] = set {
        if let [b'-', last, rest @ ..] = rest {
            found |= (*first..=*last).contains(&byte);
            set = rest;
        } else {
            found |= *first == byte;
            set = rest;
        }
    }
    found != negated
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_as_in_a_shell() {
        for (pattern, name, expected) in [
            ("*.txt", "a.txt", true),
            ("*.txt", ".txt", false),
            (".*", ".txt", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]]", "]", true),
            ("[x", "[x", true),
            ("*a*b*", "xxaxxbxx", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }
}
