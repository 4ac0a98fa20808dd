//! Patterns of paths as a machine that is in several states at once, so that no pattern and no name makes it slow.

use crate::error::{Error, Result};

/// A pattern that has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    tokens: Vec<Token>,
    /// What every match begins and ends with: most names are decided by these.
    start: Vec<u8>,
    end: Vec<u8>,
}

/// A character, or a byte that belongs to none.
type Char = u32;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    Char(Char),
    /// `?`: a character that is no `/`.
    Any,
    /// `*`: any number of them.
    Star,
    /// `**` at the end: everything.
    Everything,
    /// `**/`: nothing, or folders. [`Token::Inside`] follows.
    Folders,
    /// In the folders of the token before.
    Inside,
    Set {
        negated: bool,
        ranges: Vec<(Char, Char)>,
    },
}

const SLASH: Char = b'/' as Char;

impl Token {
    fn takes(&self, char: Char) -> bool {
        match self {
            Self::Char(own) => *own == char,
            Self::Any | Self::Star => char != SLASH,
            Self::Everything | Self::Inside => true,
            Self::Folders => false,
            Self::Set { negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&char)) != *negated
            }
        }
    }

    fn is_repeated(&self) -> bool {
        matches!(self, Self::Star | Self::Everything | Self::Inside)
    }
}

impl Glob {
    /// Reads a pattern. With `folders`, `**` crosses `/`, as in `.dockerignore`; otherwise it is a `*`, as in Go.
    pub fn parse(pattern: &[u8], folders: bool) -> Result<Self> {
        let tokens = tokens(pattern, folders).ok_or_else(|| {
            let pattern = String::from_utf8_lossy(pattern);
            Error::invalid(format!("`{pattern}` is no pattern")).hint("put a backslash before a `[` that is a `[`")
        })?;
        let literal = |token: &Token| match token {
            Token::Char(char) => bytes(*char),
            _ => None,
        };
        let start = tokens.iter().map_while(literal).flatten().collect();
        let mut end: Vec<_> = tokens.iter().rev().map_while(literal).collect();
        end.reverse();
        Ok(Self { start, end: end.concat(), tokens })
    }

    /// Whether a whole name matches.
    pub fn matches(&self, name: &[u8]) -> bool {
        name.starts_with(&self.start) && name.ends_with(&self.end) && self.states_after(name)[self.tokens.len()]
    }

    /// Whether a name that begins with this can match.
    pub fn can_begin_with(&self, name: &[u8]) -> bool {
        self.states_after(name)[..self.tokens.len()].contains(&true)
    }

    fn states_after(&self, name: &[u8]) -> Vec<bool> {
        let mut states = vec![false; self.tokens.len() + 1];
        states[0] = true;
        self.through_what_may_be_nothing(&mut states);
        let mut next = vec![false; states.len()];
        let mut rest = name;
        while !rest.is_empty() {
            let (char, length) = first_char(rest);
            rest = &rest[length..];
            next.fill(false);
            for (state, token) in self.tokens.iter().enumerate() {
                if !states[state] || !token.takes(char) {
                    continue;
                }
                next[state] |= token.is_repeated();
                // Folders end with a `/`.
                next[state + 1] |= !token.is_repeated() || *token == Token::Inside && char == SLASH;
            }
            self.through_what_may_be_nothing(&mut next);
            std::mem::swap(&mut states, &mut next);
        }
        states
    }

    fn through_what_may_be_nothing(&self, states: &mut [bool]) {
        for (state, token) in self.tokens.iter().enumerate() {
            if !states[state] {
                continue;
            }
            match token {
                Token::Star | Token::Everything => states[state + 1] = true,
                Token::Folders => {
                    states[state + 1] = true;
                    states[state + 2] = true;
                }
                _ => {}
            }
        }
    }
}

fn tokens(pattern: &[u8], folders: bool) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = pattern;
    while let Some(byte) = rest.first() {
        match byte {
            b'*' if folders && rest.get(1) == Some(&b'*') => {
                rest = &rest[2..];
                rest = rest.strip_prefix(b"/").unwrap_or(rest);
                if rest.is_empty() {
                    tokens.push(Token::Everything);
                } else if tokens.last() != Some(&Token::Inside) {
                    tokens.extend([Token::Folders, Token::Inside]);
                }
            }
            b'*' => {
                rest = &rest[1..];
                // Several stars are one.
                if tokens.last() != Some(&Token::Star) {
                    tokens.push(Token::Star);
                }
            }
            b'?' => {
                rest = &rest[1..];
                tokens.push(Token::Any);
            }
            b'[' => {
                rest = &rest[1..];
                let negated = rest.first() == Some(&b'^');
                rest = &rest[usize::from(negated)..];
                let mut ranges = Vec::new();
                while ranges.is_empty() || rest.first() != Some(&b']') {
                    let low = set_char(&mut rest)?;
                    let mut high = low;
                    if rest.first() == Some(&b'-') {
                        rest = &rest[1..];
                        high = set_char(&mut rest)?;
                    }
                    ranges.push((low, high));
                }
                rest = &rest[1..];
                tokens.push(Token::Set { negated, ranges });
            }
            byte => {
                rest = &rest[usize::from(*byte == b'\\')..];
                if rest.is_empty() {
                    return None;
                }
                let (char, length) = first_char(rest);
                rest = &rest[length..];
                tokens.push(Token::Char(char));
            }
        }
    }
    Some(tokens)
}

/// A character between brackets; something has to follow it (`getEsc` of Go).
fn set_char(rest: &mut &[u8]) -> Option<Char> {
    if matches!(rest.first()?, b'-' | b']') {
        return None;
    }
    if rest.first() == Some(&b'\\') {
        *rest = &rest[1..];
    }
    if rest.is_empty() {
        return None;
    }
    let (char, length) = first_char(rest);
    *rest = &rest[length..];
    (!rest.is_empty()).then_some(char)
}

/// Bytes that belong to no character are above all of them.
const NO_CHAR: Char = 0x11_0000;

fn first_char(bytes: &[u8]) -> (Char, usize) {
    if bytes[0].is_ascii() {
        return (bytes[0].into(), 1);
    }
    let start = &bytes[..bytes.len().min(4)];
    let valid = match std::str::from_utf8(start) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&start[..error.valid_up_to()]).unwrap_or_default(),
    };
    match valid.chars().next() {
        Some(char) => (char.into(), char.len_utf8()),
        None => (NO_CHAR + Char::from(bytes[0]), 1),
    }
}

fn bytes(char: Char) -> Option<Vec<u8>> {
    match char::from_u32(char) {
        Some(char) => Some(char.to_string().into_bytes()),
        None => Some(vec![u8::try_from(char - NO_CHAR).ok()?]),
    }
}
