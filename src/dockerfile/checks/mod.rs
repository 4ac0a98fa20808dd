//! What `docker build --check` warns of.

use super::instruction::Span;

/// Something that works, but not as it looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// BuildKit's name of the rule: `StageNameCasing`.
    pub rule: &'static str,
    /// What is there.
    pub message: String,
    /// Where.
    pub span: Span,
    /// What to do.
    pub hint: Option<String>,
}

/// An empty line where an instruction continues.
pub(super) fn empty_line(span: Span) -> Warning {
    Warning {
        rule: "NoEmptyContinuation",
        message: "an empty line is inside of the instruction".to_owned(),
        span,
        hint: Some("take the empty line away".to_owned()),
    }
}
