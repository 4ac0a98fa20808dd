//! Lines as the language has them: joined where they continue, without comments, with their heredocs.

use super::instruction::{Heredoc, Span};
use super::words::json;
use super::{LARGEST, heredoc};
use crate::error::{Error, Result};

/// Bytes of one line of the file: BuildKit's limit too.
const LONGEST: usize = 65_535;
/// Instructions of a file.
const MOST: usize = 10_000;

/// An instruction that nobody has looked into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub span: Span,
    /// The first word, as written.
    pub keyword: String,
    /// What follows it, flags too.
    pub arguments: String,
    pub heredocs: Vec<Heredoc>,
    /// The comments right above.
    pub comments: Vec<String>,
    /// An empty line is in it.
    pub is_interrupted: bool,
}

impl Line {
    /// The first word as it is known.
    pub fn name(&self) -> String {
        self.keyword.to_ascii_uppercase()
    }

    /// As BuildKit shows it.
    pub fn source(&self) -> String {
        format!("{} {}", self.name(), self.arguments).trim_end().to_owned()
    }

    /// Takes the line of another instruction apart, as `ONBUILD` has it.
    pub fn inner(&self, arguments: &str) -> Self {
        let (keyword, arguments) = split(arguments);
        Self { keyword, arguments, ..self.clone() }
    }
}

/// The lines of a file without its byte order mark. An error comes with its place.
pub fn lines(text: &str, escape: char) -> Result<Vec<Line>, (Span, Error)> {
    let at = |first, last, error| Err((Span { first, last }, error));
    if text.len() > LARGEST {
        return at(1, 1, Error::invalid(format!("the file is larger than {LARGEST} bytes")));
    }
    let mut physical = text.split_inclusive('\n').zip(1..);
    let mut lines = Vec::new();
    let mut comments = Vec::new();
    while let Some((raw, first)) = physical.next() {
        if raw.len() > LONGEST {
            return at(first, first, Error::invalid(format!("the line is longer than {LONGEST} bytes")));
        }
        let line = raw.trim();
        if let Some(comment) = line.strip_prefix('#') {
            comments.push(comment.trim().to_owned());
            continue;
        }
        if line.is_empty() {
            comments.clear();
            continue;
        }
        let (start, mut continues) = continued(raw.trim_end_matches(['\r', '\n']).trim_start(), escape);
        let mut whole = start.to_owned();
        let (mut last, mut is_interrupted) = (first, false);
        while continues {
            let Some((raw, number)) = physical.next() else { break };
            last = number;
            if raw.len() > LONGEST {
                return at(number, number, Error::invalid(format!("the line is longer than {LONGEST} bytes")));
            }
            if raw.trim_start().starts_with('#') {
                continue;
            }
            if raw.trim().is_empty() {
                is_interrupted = true;
                continue;
            }
            let (part, more) = continued(raw.trim_end_matches(['\r', '\n']), escape);
            whole.push_str(part);
            continues = more;
        }
        let (keyword, arguments) = split(&whole);
        if keyword.is_empty() {
            return at(first, last, Error::invalid("the line continues, but nothing is in it"));
        }
        let mut line = Line {
            span: Span { first, last },
            keyword,
            arguments,
            heredocs: Vec::new(),
            comments: std::mem::take(&mut comments),
            is_interrupted,
        };
        if can_have_heredocs(&line) {
            let announced = heredoc::announced(&whole).map_err(|error| (line.span, error))?;
            for mut heredoc in announced {
                let Some(last) = content(&mut heredoc, &mut physical) else {
                    let message = format!("the heredoc `{}` does not end", heredoc.name);
                    let hint = format!("end it with a line that is `{}`", heredoc.name);
                    return Err((line.span, Error::invalid(message).hint(hint)));
                };
                line.span.last = last;
                line.heredocs.push(heredoc);
            }
        }
        lines.push(line);
        if lines.len() > MOST {
            return at(first, last, Error::invalid(format!("the file has more than {MOST} instructions")));
        }
    }
    Ok(lines)
}

/// A line without the escape character that says that it continues, and whether it does. Two of them do not continue it.
fn continued(line: &str, escape: char) -> (&str, bool) {
    match line.trim_end_matches([' ', '\t']).strip_suffix(escape) {
        Some(rest) if !rest.ends_with(escape) => (rest, true),
        _ => (line, false),
    }
}

/// The first word, and the rest without the spaces around it.
fn split(line: &str) -> (String, String) {
    let (keyword, rest) = super::words::first_field(line.trim());
    (keyword.to_owned(), rest.trim().to_owned())
}

/// Files of `COPY` and `ADD`, and lines of `RUN`; not what is JSON.
fn can_have_heredocs(line: &Line) -> bool {
    let line = if line.name() == "ONBUILD" {
        line.inner(&super::flags::Flags::split(&line.arguments).1)
    } else {
        line.clone()
    };
    let (_, arguments) = super::flags::Flags::split(&line.arguments);
    matches!(line.name().as_str(), "COPY" | "ADD" | "RUN") && matches!(json(&arguments), Ok(None))
}

/// Reads a heredoc up to its end; gives the number of its last line.
fn content<'a>(heredoc: &mut Heredoc, lines: &mut impl Iterator<Item = (&'a str, usize)>) -> Option<usize> {
    for (raw, number) in lines {
        let mut line = raw.trim_end_matches(['\r', '\n']);
        if heredoc.chomp {
            line = line.trim_start_matches('\t');
        }
        if line == heredoc.name {
            return Some(number);
        }
        heredoc.content.push_str(raw);
    }
    None
}
