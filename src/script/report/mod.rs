//! An uncaught error as a person sees it: what failed, where, how it came there, what to do.

mod draw;

use super::binding::explain;
use super::source::{Lexeme, Source, Sources, lex};
use crate::error::Error;
use rhai::{Engine, EvalAltResult, ParseError, Position, Token};
use std::sync::Arc;

/// An error with its place in the script.
pub struct Report {
    error: Error,
    /// Innermost first.
    frames: Vec<Frame>,
}

/// One place in a script.
struct Frame {
    /// Name of the source.
    source: String,
    text: Option<Arc<Source>>,
    position: Position,
    /// Characters to underline.
    width: usize,
    /// The function that the place is in; `None`: the top level.
    function: Option<String>,
}

impl Report {
    /// The report of an exception that nobody caught. `source`: the name of the script that ran.
    pub fn of(thrown: &EvalAltResult, source: &str, engine: &Engine, sources: &Sources) -> Self {
        let mut frames = Vec::new();
        collect(thrown, source.to_owned(), None, &mut frames);
        let frames = frames.into_iter().rev().map(|place| Frame::new(place, engine, sources)).collect();
        Self { error: explain(thrown), frames }
    }

    /// The report of a script that does not parse.
    pub fn of_parse_error(error: &ParseError, source: &str, engine: &Engine, sources: &Sources) -> Self {
        let thrown = EvalAltResult::ErrorParsing((*error.0).clone(), error.1);
        Self::of(&thrown, source, engine, sources)
    }

    /// The report of an error outside of any script.
    pub fn plain(error: Error) -> Self {
        Self { error, frames: Vec::new() }
    }

    /// The error.
    pub fn error(&self) -> &Error {
        &self.error
    }

    /// As text of several lines; with `color` for a terminal.
    pub fn draw(&self, color: bool) -> String {
        draw::draw(self, color)
    }
}

struct Place {
    source: String,
    position: Position,
    function: Option<String>,
}

/// Walks from the outermost call to the place of the error.
fn collect(thrown: &EvalAltResult, source: String, function: Option<String>, places: &mut Vec<Place>) {
    let position = thrown.position();
    match thrown {
        EvalAltResult::ErrorInFunctionCall(name, inner_source, inner, _) => {
            let inner_source = if inner_source.is_empty() { source.clone() } else { inner_source.clone() };
            places.push(Place { source, position, function });
            collect(inner, inner_source, Some(function_name(name)), places);
        }
        EvalAltResult::ErrorInModule(module, inner, _) => {
            places.push(Place { source, position, function });
            collect(inner, module.clone(), None, places);
        }
        _ => places.push(Place { source, position, function }),
    }
}

fn function_name(name: &str) -> String {
    if name.starts_with("anon$") { "a closure".to_owned() } else { format!("`{name}`") }
}

impl Frame {
    fn new(place: Place, engine: &Engine, sources: &Sources) -> Self {
        let text = sources.get(&place.source);
        let position = text.as_ref().map_or(place.position, |text| text.original(place.position));
        let (position, width) = text.as_ref().map_or((position, 1), |text| span(&text.text, position, engine));
        Self { source: place.source, text, position, width, function: place.function }
    }
}

/// The token at this position: where it starts, and its length up to the next one or the end of the
/// line. A missing property is placed at the dot before it: the name is meant.
fn span(text: &str, position: Position, engine: &Engine) -> (Position, usize) {
    let (Some(line), Some(column)) = (position.line(), position.position()) else { return (position, 1) };
    let Some(line_text) = text.split('\n').nth(line - 1) else { return (position, 1) };
    let lexemes: Vec<_> = lex(engine, text).into_iter().filter(|lexeme| lexeme.position.line() == Some(line)).collect();
    let column_of = |lexeme: &Lexeme| lexeme.position.position().unwrap_or_default();
    let first = lexemes.iter().position(|lexeme| column_of(lexeme) >= column).unwrap_or(lexemes.len());
    let is_dot = |lexeme: &Lexeme| column_of(lexeme) == column && lexeme.token == Token::Period;
    let index = if lexemes.get(first).is_some_and(is_dot) { first + 1 } else { first };
    let (position, column) = match lexemes.get(index) {
        Some(name) if index > first => (name.position, column_of(name)),
        _ => (position, column),
    };
    let next = lexemes.iter().map(column_of).find(|start| *start > column);
    let length = next.map_or(usize::MAX, |next| next - column);
    let token: String = line_text.chars().skip(column - 1).take(length).collect();
    (position, token.trim_end().chars().count().max(1))
}
