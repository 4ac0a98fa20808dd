//! Whether what was typed is a whole input, or goes on in the next line.

use crate::script::lex;
use rhai::{Engine, LexError, ParseError, ParseErrorType, Token};

/// Whether Enter should start another line instead of running the input.
pub fn is_incomplete(engine: &Engine, text: &str) -> bool {
    if ends_in_a_comment(engine, text) {
        return true;
    }
    let Err(ParseError(kind, position)) = engine.compile(text) else { return false };
    let text = text.trim_end();
    let lines: Vec<&str> = text.split('\n').collect();
    let character = |line: usize, column: usize| lines.get(line - 1)?.chars().nth(column.checked_sub(1)?);
    match *kind {
        ParseErrorType::UnexpectedEOF => true,
        // Only text in backticks goes over several lines, and other strings after a backslash.
        ParseErrorType::BadInput(LexError::UnterminatedString) => {
            let opened_by = position.line().zip(position.position()).and_then(|(line, column)| character(line, column));
            opened_by == Some('`') || text.ends_with('\\') || has_open_backtick(engine, text)
        }
        // The parser missed something exactly where the text ends.
        _ => match (position.line(), position.position()) {
            (Some(line), Some(column)) => {
                line > lines.len() || line == lines.len() && column > lines[line - 1].chars().count()
            }
            (Some(line), None) => line > lines.len(),
            _ => true,
        },
    }
}

/// Inside a text with an interpolation, the parser does not say where the text began.
fn has_open_backtick(engine: &Engine, text: &str) -> bool {
    lex(engine, text).iter().any(|lexeme| matches!(lexeme.token, Token::InterpolatedString(_)))
}

/// An open `/*`, or a documentation comment whose function is still to come.
fn ends_in_a_comment(engine: &Engine, text: &str) -> bool {
    match lex(engine, text).last().map(|lexeme| &lexeme.token) {
        Some(Token::Comment(comment)) => {
            comment.starts_with("/*") && !comment.ends_with("*/") || comment.starts_with("///")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_whole_when_nothing_more_has_to_come() {
        let engine = Engine::new();
        for text in [
            "1+1",
            "let x = 1",
            "if true { 1 }",
            "x.foo()",
            "// done",
            "fn f(a) { a }",
            "#{ a: 1 }",
            "\"abc",
            "1 + )",
            "foo bar",
            "let 1 = 2",
            "x.foo(1))",
            "`abc`",
            "`a ${1} b`",
            "/* c */ 1",
            "'a",
            "",
        ] {
            assert!(!is_incomplete(&engine, text), "{text}");
        }
    }

    #[test]
    fn an_input_goes_on_when_something_is_open() {
        let engine = Engine::new();
        for text in [
            "let x =",
            "foo(",
            "foo(1,",
            "if x {",
            "fn f(a) {",
            "[1,2",
            "[1,2,\n",
            "#{",
            "#{a: 1,",
            "`abc",
            "`abc ${x",
            "`abc\ndef",
            "x.",
            "x.foo(|a|",
            "x.foo(|a| {",
            "1 +",
            "a &&",
            "for i in 0..3 {",
            "while true",
            "switch x {",
            "try { 1 }",
            "/* open",
            "/// doc",
            "x\n  .foo()\n  .bar(",
            "\"abc\\",
        ] {
            assert!(is_incomplete(&engine, text), "{text}");
        }
    }
}
