//! Patterns of `${NAME#…}`, `${NAME%…}` and `${NAME/…/…}`: `*`, `?`, and a backslash before one of them.

use crate::error::{Error, Result};

/// Comparisons of one replacement; a person's take a few thousand.
const BUDGET: usize = 4_000_000;

/// A pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Vec<Token>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Char(char),
    /// One character, but no line end.
    Any,
    /// Any number of characters, but no line end.
    Star,
}

impl Token {
    fn takes(self, char: char) -> bool {
        match self {
            Self::Char(own) => own == char,
            Self::Any | Self::Star => char != '\n',
        }
    }
}

impl Pattern {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = || {
            Error::invalid(format!("`{text}` is no pattern"))
                .hint("a backslash may stand before `*`, `?` and a backslash")
        };
        let mut tokens = Vec::new();
        let mut chars = text.chars().peekable();
        while let Some(char) = chars.next() {
            tokens.push(match char {
                '*' => Token::Star,
                '?' => Token::Any,
                // They have to be escaped inside of `${…}`, which says nothing about the pattern.
                '\\' if matches!(chars.peek(), Some('}' | '/')) => continue,
                '\\' => Token::Char(chars.next().filter(|char| "*?\\".contains(*char)).ok_or_else(wrong)?),
                char => Token::Char(char),
            });
        }
        // Several stars are one.
        tokens.dedup_by(|a, b| *a == Token::Star && *b == Token::Star);
        Ok(Self(tokens))
    }

    /// A text without the shortest or longest beginning that matches.
    pub fn without_start(&self, text: &str, longest: bool) -> Result<String> {
        let chars: Vec<char> = text.chars().collect();
        let length = prefix(&self.0, &chars, longest, &mut BUDGET.clone())?.unwrap_or(0);
        Ok(chars[length..].iter().collect())
    }

    /// A text without the shortest or longest end that matches.
    pub fn without_end(&self, text: &str, longest: bool) -> Result<String> {
        let chars: Vec<char> = text.chars().rev().collect();
        let tokens: Vec<Token> = self.0.iter().rev().copied().collect();
        let length = prefix(&tokens, &chars, longest, &mut BUDGET.clone())?.unwrap_or(0);
        Ok(chars[length..].iter().rev().collect())
    }

    /// A text with what matches replaced, once or everywhere; each match is as long as it can be.
    pub fn replaced(&self, text: &str, replacement: &str, all: bool, largest: usize) -> Result<String> {
        let chars: Vec<char> = text.chars().collect();
        let mut budget = BUDGET;
        let mut result = String::new();
        let (mut at, mut last_end) = (0, None);
        while at <= chars.len() {
            let found = prefix(&self.0, &chars[at..], true, &mut budget)?;
            // An empty match right behind another one does not count.
            if let Some(length) = found.filter(|length| *length > 0 || last_end != Some(at)) {
                result.push_str(replacement);
                at += length;
                last_end = Some(at);
                if !all {
                    break;
                }
                if length > 0 {
                    continue;
                }
            }
            result.extend(chars.get(at));
            at += 1;
            if result.len() > largest {
                return Err(Error::invalid(format!("what is replaced has more than {largest} bytes")));
            }
        }
        result.extend(chars.get(at..).unwrap_or_default());
        Ok(result)
    }
}

/// The length of the shortest or longest beginning that matches.
fn prefix(tokens: &[Token], chars: &[char], longest: bool, budget: &mut usize) -> Result<Option<usize>> {
    // The tokens that can come next, as a machine that is in several states at once: no text makes it slow.
    let mut states = vec![false; tokens.len() + 1];
    states[0] = true;
    through_stars(tokens, &mut states);
    let mut found = states[tokens.len()].then_some(0);
    for (at, char) in chars.iter().enumerate() {
        if found.is_some() && !longest || !states.contains(&true) {
            break;
        }
        *budget = budget.checked_sub(tokens.len() + 1).ok_or_else(|| Error::invalid("the pattern takes too long"))?;
        let mut next = vec![false; tokens.len() + 1];
        for (state, token) in tokens.iter().enumerate() {
            if states[state] && token.takes(*char) {
                next[if *token == Token::Star { state } else { state + 1 }] = true;
            }
        }
        through_stars(tokens, &mut next);
        states = next;
        if states[tokens.len()] {
            found = Some(at + 1);
        }
    }
    Ok(found)
}

/// A star may be nothing.
fn through_stars(tokens: &[Token], states: &mut [bool]) {
    for (state, token) in tokens.iter().enumerate() {
        if states[state] && *token == Token::Star {
            states[state + 1] = true;
        }
    }
}
