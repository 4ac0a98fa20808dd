//! Where in a Dockerfile something went wrong.

use super::instruction::Span;
use crate::error::Error;
use std::fmt::Write;

/// Lines that are shown of one instruction.
const SHOWN: usize = 6;

/// The same error with its place before the message, `Dockerfile:3: …`, and the source lines, which are drawn below it.
/// One that has a place already keeps it.
#[must_use]
pub fn locate(dockerfile_name: &str, text: &str, span: Span, error: Error) -> Error {
    if error.excerpt_text().is_some() {
        return error;
    }
    let excerpt = excerpt(text, span);
    error.context(format!("{dockerfile_name}:{}", span.first)).excerpt(excerpt)
}

/// The lines of a span with their numbers; what stands on the first is underlined.
pub fn excerpt(text: &str, span: Span) -> String {
    let mut drawn = String::new();
    let last = span.last.min(span.first + SHOWN - 1);
    let width = last.to_string().len();
    let lines = text.trim_start_matches('\u{feff}').lines().zip(1..);
    for (line, number) in lines.skip(span.first.saturating_sub(1)).take(last + 1 - span.first.min(last)) {
        let line = line.trim_end();
        let _ = writeln!(drawn, "  {number:width$} | {line}");
        if number == span.first {
            // A tab is as wide as the terminal likes: keep it above the carets too.
            let before: String = line.chars().take_while(|char| char.is_whitespace()).collect();
            let carets = "^".repeat(line.trim_start().chars().count());
            let _ = writeln!(drawn, "  {:width$} | {before}{carets}", "");
        }
    }
    if span.last > last {
        let _ = writeln!(drawn, "  {:width$} | …", "");
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "FROM x\n\n  RUN a \\\n\n# c\n  b\nCMD\n";

    #[test]
    fn an_error_shows_its_lines() {
        let error = locate("Dockerfile", TEXT, Span { first: 7, last: 7 }, Error::invalid("CMD needs a command"));
        assert_eq!(error.message(), "Dockerfile:7: CMD needs a command");
        assert_eq!(error.excerpt_text(), Some("  7 | CMD\n    | ^^^\n"));
        let again = locate("other", TEXT, Span { first: 1, last: 1 }, error);
        assert_eq!(again.message(), "Dockerfile:7: CMD needs a command");
        let span = Span { first: 3, last: 6 };
        assert_eq!(excerpt(TEXT, span), "  3 |   RUN a \\\n    |   ^^^^^^^\n  4 | \n  5 | # c\n  6 |   b\n");
        assert_eq!(excerpt(TEXT, Span { first: 9, last: 9 }), "");
        let long = "x\n".repeat(20);
        assert!(excerpt(&long, Span { first: 8, last: 20 }).ends_with("  13 | x\n     | …\n"));
    }
}
