//! Variables in words: `$NAME`, `${NAME:-default}` and their relatives, and what quotes do to them.

use super::LARGEST;
use super::shell_pattern::Pattern;
use crate::error::{Error, Result};
use std::iter::Peekable;
use std::str::Chars;

/// `${…}` in `${…}` in ….
const DEEPEST: usize = 50;

/// Replaces variables as BuildKit does.
#[derive(Clone, Copy, Debug)]
pub struct Expander {
    escape: char,
}

/// What became of a word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expanded {
    /// Its text.
    pub text: String,
    /// Names that were asked for and have no value, once each, in order.
    pub undefined: Vec<String>,
    /// Names that were asked for and have one, once each, in order.
    pub defined: Vec<String>,
}

/// Where the value of a variable comes from.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Expander {
    /// One for a file with this escape character.
    pub fn new(escape: char) -> Self {
        Self { escape }
    }

    /// A word without its quotes, with the values of its variables. Spaces in it stay.
    ///
    /// # Errors
    /// `invalid` when a quote or a brace is not closed, or by `${NAME:?why}`.
    pub fn word(&self, raw: &str, env: Environment<'_>) -> Result<Expanded> {
        let lexed = lex(raw, Options::new(self.escape), env)?;
        Ok(Expanded { text: lexed.text, undefined: lexed.undefined, defined: lexed.defined })
    }

    /// The words that a word becomes: it is split at spaces that no quotes keep, also at those of values. With the names
    /// that have no value.
    ///
    /// # Errors
    /// As of [`Expander::word`].
    pub fn words(&self, raw: &str, env: Environment<'_>) -> Result<(Vec<String>, Vec<String>)> {
        let lexed = lex(raw, Options::new(self.escape), env)?;
        Ok((lexed.words, lexed.undefined))
    }

    /// The body of a heredoc: quotes mean nothing, and a backslash escapes, whatever the escape character of the file is.
    ///
    /// # Errors
    /// As of [`Expander::word`].
    pub fn heredoc(&self, raw: &str, env: Environment<'_>) -> Result<Expanded> {
        let lexed = lex(raw, Options { skip_quotes: true, ..Options::new('\\') }, env)?;
        Ok(Expanded { text: lexed.text, undefined: lexed.undefined, defined: lexed.defined })
    }
}

/// What is done to quotes, escapes and unknown names.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub escape: char,
    /// Quotes stay.
    pub raw_quotes: bool,
    /// Escape characters stay.
    pub raw_escapes: bool,
    /// Quotes are characters like others.
    pub skip_quotes: bool,
    /// What has no value stays as it is written.
    pub keep_unset: bool,
}

impl Options {
    pub fn new(escape: char) -> Self {
        Self { escape, raw_quotes: false, raw_escapes: false, skip_quotes: false, keep_unset: false }
    }
}

/// A text with its variables replaced, whole and in words.
#[derive(Debug, Default)]
pub struct Lexed {
    pub text: String,
    pub words: Vec<String>,
    pub undefined: Vec<String>,
    pub defined: Vec<String>,
}

/// Replaces the variables of a text.
pub fn lex(text: &str, options: Options, env: Environment<'_>) -> Result<Lexed> {
    let mut lexer = Lexer {
        chars: text.chars().peekable(),
        options,
        env,
        undefined: Vec::new(),
        defined: Vec::new(),
        depth: 0,
        made: 0,
    };
    let part =
        lexer.up_to(None, options.raw_escapes).map_err(|error| error.context(format!("`{}`", shortened(text))))?;
    Ok(Lexed { text: part.text, words: part.words.done(), undefined: lexer.undefined, defined: lexer.defined })
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

struct Lexer<'a> {
    chars: Peekable<Chars<'a>>,
    options: Options,
    env: Environment<'a>,
    undefined: Vec<String>,
    defined: Vec<String>,
    depth: usize,
    /// Bytes of all values so far.
    made: usize,
}

#[derive(Default)]
struct Part {
    text: String,
    words: Words,
}

impl Lexer<'_> {
    /// Reads up to a character outside of quotes and variables, or to the end.
    fn up_to(&mut self, stop: Option<char>, raw_escapes: bool) -> Result<Part> {
        let mut part = Part::default();
        while let Some(&char) = self.chars.peek() {
            if Some(char) == stop {
                self.chars.next();
                return Ok(part);
            }
            match char {
                '$' => {
                    let value = self.dollar()?;
                    part.text.push_str(&value);
                    value.chars().for_each(|char| part.words.push(char));
                }
                '\'' | '"' if !self.options.skip_quotes => {
                    let quoted = if char == '"' { self.double_quoted(raw_escapes)? } else { self.single_quoted()? };
                    part.text.push_str(&quoted);
                    part.words.push_kept(&quoted);
                }
                char if char == self.options.escape => {
                    self.chars.next();
                    if raw_escapes {
                        part.text.push(char);
                        part.words.push_kept(char.encode_utf8(&mut [0; 4]));
                    }
                    // At the end it means nothing.
                    let Some(escaped) = self.chars.next() else { break };
                    part.text.push(escaped);
                    part.words.push_kept(escaped.encode_utf8(&mut [0; 4]));
                }
                char => {
                    self.chars.next();
                    part.text.push(char);
                    part.words.push(char);
                }
            }
        }
        match stop {
            Some(stop) => Err(Error::invalid(format!("`{stop}` is missing after `${{`"))),
            None => Ok(part),
        }
    }

    fn single_quoted(&mut self) -> Result<String> {
        let mut text = String::new();
        let raw = self.options.raw_quotes;
        text.extend(self.chars.next().filter(|_| raw));
        loop {
            match self.chars.next() {
                None => return Err(Error::invalid("a single quote is not closed")),
                Some('\'') => {
                    text.extend(raw.then_some('\''));
                    return Ok(text);
                }
                Some(char) => text.push(char),
            }
        }
    }

    fn double_quoted(&mut self, raw_escapes: bool) -> Result<String> {
        let mut text = String::new();
        let raw = self.options.raw_quotes;
        text.extend(self.chars.next().filter(|_| raw));
        loop {
            match self.chars.peek().copied() {
                None => return Err(Error::invalid("a double quote is not closed")),
                Some('"') => {
                    self.chars.next();
                    text.extend(raw.then_some('"'));
                    return Ok(text);
                }
                Some('$') => text.push_str(&self.dollar()?),
                Some(char) => {
                    self.chars.next();
                    if char != self.options.escape {
                        text.push(char);
                        continue;
                    }
                    text.extend(raw_escapes.then_some(char));
                    match self.chars.peek().copied() {
                        None => {}
                        Some(next) if next == '"' || next == '$' || next == char => {
                            self.chars.next();
                            text.push(next);
                        }
                        // Before everything else it stays.
                        Some(_) => text.push(char),
                    }
                }
            }
        }
    }

    /// A variable, from its `$`.
    fn dollar(&mut self) -> Result<String> {
        self.chars.next();
        if self.chars.peek() != Some(&'{') {
            let name = self.name();
            if name.is_empty() {
                return Ok("$".to_owned());
            }
            return match self.value(&name) {
                None if self.options.keep_unset => self.made(format!("${name}")),
                value => self.made(value.unwrap_or_default()),
            };
        }
        self.chars.next();
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Error::invalid(format!("`${{` is nested more than {DEEPEST} times")));
        }
        let value = self.braces()?;
        self.depth -= 1;
        self.made(value)
    }

    /// What is between `${` and `}`.
    fn braces(&mut self) -> Result<String> {
        let bad = || Error::invalid("`${` is not followed by the name of a variable");
        match self.chars.peek() {
            None => return Err(unclosed()),
            Some('{' | '}' | ':') => return Err(bad()),
            _ => {}
        }
        let name = self.name();
        let operator = self.chars.next().ok_or_else(unclosed)?;
        let mut empty_is_unset = false;
        let operator = match operator {
            '}' => {
                return match self.value(&name) {
                    None if self.options.keep_unset => Ok(format!("${{{name}}}")),
                    value => Ok(value.unwrap_or_default()),
                };
            }
            ':' => {
                empty_is_unset = true;
                self.chars.next().ok_or_else(unclosed)?
            }
            '/' => return self.replaced(&name),
            other => other,
        };
        if !"+-?#%".contains(operator) {
            return Err(Error::invalid(format!("`${{{name}{operator}…}}` is not understood")));
        }
        let is_trim = matches!(operator, '#' | '%');
        let word = self.up_to(Some('}'), is_trim)?.text;
        let value = self.value(&name);
        if value.is_none() && self.options.keep_unset {
            let colon = if empty_is_unset { ":" } else { "" };
            return Ok(format!("${{{name}{colon}{operator}{word}}}"));
        }
        let is_set = value.as_ref().is_some_and(|value| !(empty_is_unset && value.is_empty()));
        match operator {
            '-' | '?' if is_set => Ok(value.unwrap_or_default()),
            '-' => Ok(word),
            '+' if is_set => Ok(word),
            '+' => Ok(String::new()),
            '?' if !word.is_empty() => Err(Error::invalid(format!("{name}: {word}"))),
            '?' if value.is_none() => Err(Error::invalid(format!("the variable `{name}` has to be set"))),
            '?' => Err(Error::invalid(format!("the variable `{name}` has to be set to more than nothing"))),
            _ if empty_is_unset => Err(Error::invalid(format!("`${{{name}:{operator}…}}` is not understood"))),
            _ => {
                let (pattern, longest) =
                    word.strip_prefix(operator).map_or((word.as_str(), false), |rest| (rest, true));
                let pattern = Pattern::parse(pattern)?;
                let value = value.unwrap_or_default();
                if operator == '#' {
                    pattern.without_start(&value, longest)
                } else {
                    pattern.without_end(&value, longest)
                }
            }
        }
    }

    /// `${NAME/PATTERN/REPLACEMENT}`, from behind the first `/`.
    fn replaced(&mut self, name: &str) -> Result<String> {
        let all = self.chars.next_if_eq(&'/').is_some();
        let pattern = self.up_to(Some('/'), true)?.text;
        let replacement = self.up_to(Some('}'), true)?.text;
        match self.value(name) {
            None if self.options.keep_unset => Ok(format!("${{{name}/{pattern}/{replacement}}}")),
            value => Pattern::parse(&pattern)?.replaced(&value.unwrap_or_default(), &replacement, all, LARGEST),
        }
    }

    /// Letters, digits and `_`; or a number; or one of the shell's special parameters.
    fn name(&mut self) -> String {
        let mut name = String::new();
        match self.chars.peek().copied() {
            Some(first) if first.is_numeric() => {
                while let Some(digit) = self.chars.next_if(|char| char.is_numeric()) {
                    name.push(digit);
                }
            }
            Some('@' | '*' | '#' | '?' | '-' | '$' | '!') => name.extend(self.chars.next()),
            _ => {
                while let Some(char) = self.chars.next_if(|char| char.is_alphanumeric() || *char == '_') {
                    name.push(char);
                }
            }
        }
        name
    }

    fn value(&mut self, name: &str) -> Option<String> {
        let value = (self.env)(name);
        let names = if value.is_some() { &mut self.defined } else { &mut self.undefined };
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
        value
    }

    /// Values of values grow fast.
    fn made(&mut self, value: String) -> Result<String> {
        self.made += value.len();
        if self.made > LARGEST {
            return Err(Error::invalid(format!("its variables have more than {LARGEST} bytes")));
        }
        Ok(value)
    }
}

fn unclosed() -> Error {
    Error::invalid("`}` is missing after `${`")
}

/// Words as they come together. What quotes keep begins a word also when it is empty, but is none by itself, as in
/// BuildKit.
#[derive(Default)]
struct Words {
    words: Vec<String>,
    word: String,
}

impl Words {
    fn push(&mut self, char: char) {
        if !char.is_whitespace() {
            self.word.push(char);
        } else if !self.word.is_empty() {
            self.words.push(std::mem::take(&mut self.word));
        }
    }

    fn push_kept(&mut self, text: &str) {
        self.word.push_str(text);
    }

    fn done(mut self) -> Vec<String> {
        if !self.word.is_empty() {
            self.words.push(self.word);
        }
        self.words
    }
}

#[cfg(test)]
mod tests;
