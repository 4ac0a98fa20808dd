//! Names with `*`, `?` and `[…]`, as a shell has them.

/// Whether a path has special characters.
pub fn is_pattern(path: &[u8]) -> bool {
    path.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

/// Whether one name matches. A leading dot has to be written, as in a shell.
pub fn matches(pattern: &[u8], name: &[u8]) -> bool {
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
