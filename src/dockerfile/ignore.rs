//! `.dockerignore`, and the patterns of `--exclude`.

use super::LARGEST;
use super::glob::Glob;
use crate::error::{Error, Result};

/// Lines of an ignore file that mean something.
const MOST: usize = 10_000;

/// What is left out of a context: the last pattern that matches a path, or a folder that it is in, decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ignore {
    patterns: Vec<Pattern>,
}

/// Which patterns match a folder, so that its children need not ask for all the folders that they are in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    matched: Vec<bool>,
    /// Whether the folder is left out.
    pub ignored: bool,
}

impl Ignore {
    /// Reads an ignore file.
    ///
    /// # Errors
    /// `invalid`, with the line, for a wrong pattern and a `!` alone.
    pub fn parse(text: &[u8]) -> Result<Self> {
        if text.len() > LARGEST {
            return Err(Error::invalid(format!("the ignore file is larger than {LARGEST} bytes")));
        }
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let mut ignore = Self::default();
        for (line, number) in text.split(|byte| *byte == b'\n').zip(1..) {
            // Only at the very start of a line it is a comment.
            if !line.starts_with(b"#") {
                ignore.add(line).map_err(|error| error.context(format!("line {number}")))?;
            }
        }
        Ok(ignore)
    }

    /// Patterns by themselves, such as those of `--exclude`.
    ///
    /// # Errors
    /// As of [`Ignore::parse`].
    pub fn of<P: AsRef<[u8]>>(patterns: impl IntoIterator<Item = P>) -> Result<Self> {
        let mut ignore = Self::default();
        patterns.into_iter().try_for_each(|pattern| ignore.add(pattern.as_ref()))?;
        Ok(ignore)
    }

    /// Whether nothing is left out.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Whether something has an exception.
    pub fn has_exceptions(&self) -> bool {
        self.patterns.iter().any(|pattern| pattern.is_exception)
    }

    /// Whether a path, relative to the context, is left out.
    pub fn is_ignored(&self, path: &[u8]) -> bool {
        let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        let above: Vec<&[u8]> = slashes.filter(|at| *at > 0).map(|at| &path[..at]).collect();
        let matches = |pattern: &Pattern| pattern.matches(path) || above.iter().any(|folder| pattern.matches(folder));
        // From the end: the last one decides.
        self.patterns.iter().rev().find(|pattern| matches(pattern)).is_some_and(|pattern| !pattern.is_exception)
    }

    /// The context itself, from which a walk begins.
    pub fn root(&self) -> State {
        State { matched: vec![false; self.patterns.len()], ignored: false }
    }

    /// A child of a folder, by its path from the context; the same answer as [`Ignore::is_ignored`].
    pub fn child(&self, folder: &State, path: &[u8]) -> State {
        let mut state = State { matched: folder.matched.clone(), ignored: false };
        for (pattern, matched) in self.patterns.iter().zip(&mut state.matched) {
            *matched = *matched || pattern.matches(path);
            if *matched {
                state.ignored = !pattern.is_exception;
            }
        }
        state
    }

    /// As [`Ignore::child`], for what has no children.
    pub fn leaf_is_ignored(&self, folder: &State, path: &[u8]) -> bool {
        let patterns = self.patterns.iter().zip(&folder.matched).rev();
        let mut matching = patterns.filter(|(pattern, matched)| **matched || pattern.matches(path));
        matching.next().is_some_and(|(pattern, _)| !pattern.is_exception)
    }

    /// Whether something below a folder that is left out may be there all the same.
    pub fn may_hold_exceptions(&self, folder: &[u8]) -> bool {
        let mut exceptions = self.patterns.iter().filter(|pattern| pattern.is_exception).peekable();
        if exceptions.peek().is_none() {
            return false;
        }
        let below = [folder, b"/"].concat();
        exceptions.any(|pattern| pattern.glob.can_begin_with(&below))
    }

    fn add(&mut self, line: &[u8]) -> Result<()> {
        let Some(pattern) = Pattern::parse(line)? else { return Ok(()) };
        self.patterns.push(pattern);
        if self.patterns.len() > MOST {
            return Err(Error::invalid(format!("there are more than {MOST} patterns")));
        }
        Ok(())
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    is_exception: bool,
    glob: Glob,
    simple: Option<Simple>,
}

/// What needs no machine.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Simple {
    /// `a/b`.
    Exact(Vec<u8>),
    /// `a/**`.
    Start(Vec<u8>),
    /// `**/a`: the end with its `/`.
    End(Vec<u8>),
}

impl Pattern {
    fn parse(line: &[u8]) -> Result<Option<Self>> {
        let line = line.trim_ascii();
        let (is_exception, text) = line.strip_prefix(b"!").map_or((false, line), |rest| (true, rest.trim_ascii()));
        if text.is_empty() {
            if is_exception {
                return Err(Error::invalid("`!` has no pattern").hint("write `!PATH`, or take the line away"));
            }
            return Ok(None);
        }
        let cleaned = clean(text);
        let cleaned = if cleaned.len() > 1 { cleaned.strip_prefix(b"/").unwrap_or(&cleaned) } else { &cleaned };
        let glob = Glob::parse(cleaned, true)?;
        let is_plain = |text: &[u8]| !text.iter().any(|byte| b"*?[]\\".contains(byte));
        let simple = if is_plain(cleaned) {
            Some(Simple::Exact(cleaned.to_owned()))
        } else if let Some(start) = cleaned.strip_suffix(b"**").filter(|start| is_plain(start)) {
            Some(Simple::Start(start.to_owned()))
        } else {
            cleaned.strip_prefix(b"**").filter(|end| is_plain(end)).map(|end| Simple::End(end.to_owned()))
        };
        Ok(Some(Self { is_exception, glob, simple }))
    }

    fn matches(&self, path: &[u8]) -> bool {
        match &self.simple {
            Some(Simple::Exact(own)) => path == own,
            Some(Simple::Start(start)) => path.starts_with(start),
            Some(Simple::End(end)) => path.ends_with(end) || end.strip_prefix(b"/") == Some(path),
            None => self.glob.matches(path),
        }
    }
}

/// As Go's `path.Clean`: without `.`, `..` and superfluous `/`.
fn clean(path: &[u8]) -> Vec<u8> {
    let rooted = path.starts_with(b"/");
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." if parts.last().is_some_and(|last| *last != b"..") => {
                parts.pop();
            }
            b".." if rooted => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join(&b'/');
    match (rooted, joined.is_empty()) {
        (true, _) => [b"/", &joined[..]].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => joined,
    }
}

#[cfg(test)]
mod tests;
