//! Commands as text: split into words as a POSIX shell splits them, without any expansion.

use crate::error::{Error, Result};

/// What only a shell can do. Unquoted, these would silently become arguments.
const SHELL_ONLY: &[char] = &['|', '&', ';', '<', '>', '$', '`', '*', '(', ')'];

/// The words of `line`. Single quotes keep everything, double quotes everything but `\` before
/// `$`, `` ` ``, `"`, `\` and a line end (POSIX Shell Command Language, 2.2).
pub fn split(line: &str) -> Result<Vec<String>> {
    let mut words = Vec::new();
    // `None` between words: an empty pair of quotes is a word, too.
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\n' | '\r' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('\'') => break,
                        Some(c) => word.push(c),
                        None => return Err(unclosed(line, "'")),
                    }
                }
            }
            '"' => double_quoted(line, &mut chars, word.get_or_insert_default())?,
            '\\' => match chars.next() {
                Some('\n') => {}
                Some(c) => word.get_or_insert_default().push(c),
                None => return Err(Error::invalid(format!("`{line}` ends in the middle of an escape"))),
            },
            c if SHELL_ONLY.contains(&c) => {
                return Err(Error::invalid(format!("`{c}` in `{line}` needs a shell, and none is used here"))
                    .hint("use `sh(…)`, on the host `host_sh(…)`, for a shell line, or an array of words, which are taken as they are"));
            }
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    if words.is_empty() {
        return Err(Error::invalid("the command is empty"));
    }
    Ok(words)
}

fn double_quoted(line: &str, chars: &mut std::str::Chars<'_>, word: &mut String) -> Result<()> {
    loop {
        match chars.next() {
            Some('"') => return Ok(()),
            Some('\\') => match chars.next() {
                Some('\n') => {}
                Some(c @ ('$' | '`' | '"' | '\\')) => word.push(c),
                Some(c) => word.extend(['\\', c]),
                None => return Err(unclosed(line, "\"")),
            },
            Some(c) => word.push(c),
            None => return Err(unclosed(line, "\"")),
        }
    }
}

fn unclosed(line: &str, quote: &str) -> Error {
    Error::invalid(format!("`{line}` has a {quote} that is not closed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_a_shell_does() {
        for (line, words) in [
            ("ls -l /", vec!["ls", "-l", "/"]),
            ("  a \t b\nc ", vec!["a", "b", "c"]),
            (r#"echo "two words" 'and three more'"#, vec!["echo", "two words", "and three more"]),
            (r#"a"b"'c'\d"#, vec!["abcd"]),
            (r#"x "" ''"#, vec!["x", "", ""]),
            (r"a\ b \| \\", vec!["a b", "|", r"\"]),
            (r#""\$ \` \" \\ \n""#, vec![r#"$ ` " \ \n"#]),
            (r"'\n $x | y'", vec![r"\n $x | y"]),
            ("a \\\nb", vec!["a", "b"]),
            ("a=b ~ # {} [x] ? !", vec!["a=b", "~", "#", "{}", "[x]", "?", "!"]),
        ] {
            assert_eq!(split(line).ok(), Some(words.into_iter().map(String::from).collect()), "{line}");
        }
    }

    #[test]
    fn what_needs_a_shell_is_refused_with_a_hint() {
        for line in ["a | b", "a && b", "a; b", "a < b", "a > b", "echo $X", "echo `x`", "ls *", "(a)"] {
            let error = split(line).expect_err(line);
            assert!(error.hint_text().is_some_and(|hint| hint.contains("sh(")), "{line}");
        }
        for line in ["", "  ", "'a", "\"a", "a\\"] {
            assert!(split(line).is_err(), "{line}");
        }
    }
}
