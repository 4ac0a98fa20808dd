//! What rustyline asks us while a line is edited.

use super::completion::{Completions, Known};
use super::input::is_incomplete;
use super::memory::Memory;
use crate::script::Host;
use rhai::Engine;
use rustyline::completion::{Completer, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper};
use std::sync::Arc;

/// Completes names, and tells whole inputs from those that go on.
pub struct PromptHelper {
    engine: Arc<Engine>,
    known: Known,
}

impl PromptHelper {
    /// One that knows the engine's functions.
    pub fn new(host: &Host) -> Self {
        Self { engine: host.engine().clone(), known: Known::default() }
    }

    /// Takes over what the lines so far have made.
    pub fn know(&mut self, memory: &Memory) {
        self.known = Known::of(&self.engine, memory);
    }
}

impl Completer for PromptHelper {
    type Candidate = Pair;

    fn complete(&self, line: &str, position: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let Completions { start, candidates } =
            super::completion::complete(&self.engine, &self.known, &line[..position]);
        let pair =
            |candidate: super::completion::Candidate| Pair { display: candidate.shown, replacement: candidate.text };
        Ok((start, candidates.into_iter().map(pair).collect()))
    }
}

impl Validator for PromptHelper {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(if is_incomplete(&self.engine, context.input()) {
            ValidationResult::Incomplete
        } else {
            ValidationResult::Valid(None)
        })
    }
}

impl Highlighter for PromptHelper {}

impl Hinter for PromptHelper {
    type Hint = String;
}

impl Helper for PromptHelper {}
