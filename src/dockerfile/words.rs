//! How the rest of a line is taken apart: in words with quotes, at white space, or as JSON.

use crate::error::{Error, Result};

/// Words; quotes and the escape character keep spaces, and stay (`parseWords` of BuildKit).
pub fn words(text: &str, escape: char) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        if quote.is_none() && char.is_whitespace() {
            words.extend(word.take());
            continue;
        }
        // In single quotes nothing is escaped.
        if char == escape && quote != Some('\'') {
            // At the end of the line it means nothing.
            if let Some(next) = chars.next() {
                word.get_or_insert_default().extend([char, next]);
            }
            continue;
        }
        match quote {
            Some(open) if open == char => quote = None,
            None if matches!(char, '\'' | '"') => quote = Some(char),
            _ => {}
        }
        word.get_or_insert_default().push(char);
    }
    words.extend(word);
    words
}

/// What is between white space, which quotes do not keep.
pub fn fields(text: &str) -> Vec<String> {
    text.split(is_space).filter(|field| !field.is_empty()).map(str::to_owned).collect()
}

/// The first field, and what follows the white space after it.
pub fn first_field(text: &str) -> (&str, &str) {
    text.split_once(is_space).map_or((text, ""), |(first, rest)| (first, rest.trim_start_matches(is_space)))
}

/// What BuildKit splits at: not the white space of other scripts.
fn is_space(char: char) -> bool {
    matches!(char, '\t' | '\u{b}' | '\u{c}' | '\r' | ' ')
}

/// The strings of a JSON array; `None`: it is none, and so a line.
///
/// # Errors
/// It is an array, but not one of strings.
pub fn json(text: &str) -> Result<Option<Vec<String>>> {
    if !text.trim_start().starts_with('[') {
        return Ok(None);
    }
    let Ok(values) = serde_json::from_str::<Vec<serde_json::Value>>(text.trim()) else { return Ok(None) };
    let strings = values.into_iter().map(|value| match value {
        serde_json::Value::String(text) => Ok(text),
        other => Err(Error::invalid(format!("`{other}` is no string in a JSON array"))
            .hint("put it into double quotes: `[\"sleep\", \"10\"]`")),
    });
    strings.collect::<Result<_>>().map(Some)
}

/// A JSON array of strings, or what is between white space.
pub fn json_or_fields(text: &str) -> Result<Vec<String>> {
    Ok(json(text)?.unwrap_or_else(|| fields(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_their_quotes() {
        let cases: &[(&str, &[&str])] = &[
            ("foo", &["foo"]),
            ("foo bar", &["foo", "bar"]),
            ("foo\\ bar", &["foo\\ bar"]),
            ("foo=bar", &["foo=bar"]),
            ("foo bar 'abc xyz'", &["foo", "bar", "'abc xyz'"]),
            ("foo bar \"abc xyz\"", &["foo", "bar", "\"abc xyz\""]),
            ("föo bàr \"âbc xÿz\"", &["föo", "bàr", "\"âbc xÿz\""]),
            (r#"a="b\" c" d"#, &[r#"a="b\" c""#, "d"]),
            (r"a='b\' c", &[r"a='b\'", "c"]),
            ("a '' b", &["a", "''", "b"]),
            ("a\\", &["a"]),
            ("  ", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(words(text, '\\'), *expected, "{text}");
        }
        assert_eq!(words("a` b\\ c", '`'), ["a` b\\", "c"]);
    }

    #[test]
    fn json_is_an_array_of_strings_or_a_line() {
        let strings = |words: &[&str]| Some(words.iter().map(ToString::to_string).collect::<Vec<_>>());
        for (text, expected) in [
            ("[]", strings(&[])),
            ("[\"\"]", strings(&[""])),
            ("[ \"a\", \"b\" ]", strings(&["a", "b"])),
            ("\t[\t\"a\",\t\"b\"\t]\t", strings(&["a", "b"])),
            (r#"["abc 123", "♥", "☃", "\" \\ \/ \b \f \n \r \t \u0000"]"#, {
                strings(&["abc 123", "♥", "☃", "\" \\ / \u{8} \u{c} \n \r \t \0"])
            }),
            ("['a']", None),
            ("[\"a\"] b", None),
            ("[\"a\",]", None),
            ("[ -f x ]", None),
            ("{}", None),
            ("", None),
        ] {
            assert_eq!(json(text).unwrap(), expected, "{text}");
        }
        for text in ["[\"a\", 42]", "[\"a\",{},\"b\"]", "[\"a\",true]", "[null]", "[[\"a\"]]"] {
            assert!(json(text).is_err(), "{text}");
        }
    }
}
