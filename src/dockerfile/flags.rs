//! Flags of an instruction: what begins with `--` before everything else.

use super::nearest::nearest;
use crate::error::{Error, Result};

/// The flags of one instruction; each is taken out when it is asked for.
pub struct Flags(Vec<(String, Option<String>)>);

impl Flags {
    /// The flags, and the rest of the line. They have quotes and backslashes of their own, whatever the escape character
    /// of the file is (`extractBuilderFlags` of BuildKit).
    pub fn split(line: &str) -> (Self, String) {
        let mut flags = Vec::new();
        let mut rest = line;
        loop {
            rest = rest.trim_start();
            if !rest.starts_with("--") {
                break;
            }
            let (word, after) = word(rest);
            rest = after;
            if word == "--" {
                break;
            }
            let word = word.trim_start_matches("--");
            flags.push(match word.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (word.to_owned(), None),
            });
        }
        (Self(flags), rest.trim().to_owned())
    }

    /// The value of a flag that is given once.
    pub fn text(&mut self, name: &str) -> Result<Option<String>> {
        let mut values = self.texts(name)?;
        match values.len() {
            0 | 1 => Ok(values.pop()),
            _ => Err(Error::invalid(format!("`--{name}` is given twice"))),
        }
    }

    /// The values of a flag that may be given more than once.
    pub fn texts(&mut self, name: &str) -> Result<Vec<String>> {
        let no_value = || Error::invalid(format!("`--{name}` has no value")).hint(format!("write `--{name}=VALUE`"));
        self.take(name).into_iter().map(|value| value.ok_or_else(no_value)).collect()
    }

    /// A flag that is there or not, or is `true` or `false`.
    pub fn truth(&mut self, name: &str) -> Result<Option<bool>> {
        let values = self.take(name);
        let [value] = &values[..] else {
            return match values.len() {
                0 => Ok(None),
                _ => Err(Error::invalid(format!("`--{name}` is given twice"))),
            };
        };
        match value.as_deref().map(str::to_lowercase).as_deref() {
            None | Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(Error::invalid(format!("`--{name}` is `true` or `false`"))),
        }
    }

    /// Refuses what nobody asked for. `known`: what the instruction takes.
    pub fn finish(self, keyword: &str, known: &[&str]) -> Result<()> {
        let Some((name, _)) = self.0.first() else { return Ok(()) };
        let error = Error::invalid(format!("{keyword} has no flag `--{name}`"));
        match nearest(name, known.iter().copied()) {
            Some(known) => Err(error.hint(format!("did you mean `--{known}`?"))),
            None => Err(error),
        }
    }

    fn take(&mut self, name: &str) -> Vec<Option<String>> {
        let mut taken = Vec::new();
        self.0.retain(|(known, value)| {
            if known == name {
                taken.push(value.clone());
            }
            known != name
        });
        taken
    }
}

/// The first word, without its quotes, and what follows.
fn word(text: &str) -> (String, &str) {
    let mut word = String::new();
    let mut quote = None;
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match (char, quote) {
            ('\\', _) => word.extend(chars.next().map(|(_, char)| char)),
            (char, Some(open)) if char == open => quote = None,
            ('\'' | '"', None) => quote = Some(char),
            (char, None) if char.is_whitespace() => return (word, &text[at..]),
            (char, _) => word.push(char),
        }
    }
    (word, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(line: &str) -> Flags {
        Flags::split(line).0
    }

    #[test]
    fn flags_have_quotes_of_their_own() {
        let (mut flags, rest) = Flags::split(r#"--a=1 --b="x y"z --c='q"' --d=e\ f --on  rest --no "quoted" "#);
        for (name, value) in [("a", "1"), ("b", "x yz"), ("c", "q\""), ("d", "e f")] {
            assert_eq!(flags.text(name).unwrap().as_deref(), Some(value), "{name}");
        }
        assert_eq!(flags.truth("on").unwrap(), Some(true));
        assert_eq!(rest, "rest --no \"quoted\"");
        flags.finish("RUN", &[]).unwrap();
        assert_eq!(Flags::split("--a=1 -- --b x").1, "--b x");
        assert_eq!(Flags::split("-x").1, "-x");
    }

    #[test]
    fn wrong_flags_are_refused() {
        assert!(flags("--a").text("a").is_err());
        assert!(flags("--a=1 --a=2").text("a").is_err());
        assert_eq!(flags("--a=1 --a=2").texts("a").unwrap(), ["1", "2"]);
        assert_eq!(flags("--a= x").text("a").unwrap().as_deref(), Some(""));
        for (line, expected) in [("--a", Some(true)), ("--a=FALSE", Some(false)), ("", None)] {
            assert_eq!(flags(line).truth("a").unwrap(), expected, "{line}");
        }
        assert!(flags("--a=").truth("a").is_err() && flags("--a=no").truth("a").is_err());
        let error = flags("--chwon=1").finish("COPY", &["chown", "from"]).unwrap_err();
        assert_eq!(error.message(), "COPY has no flag `--chwon`");
        assert_eq!(error.hint_text(), Some("did you mean `--chown`?"));
    }
}
