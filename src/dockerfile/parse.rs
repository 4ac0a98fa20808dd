//! A whole Dockerfile: its directives, its arguments, its stages.

use super::checks::{Warning, empty_line};
use super::directives::{self, CheckDirective};
use super::instruction::{Instruction, Kind, Span};
use super::lines::{Line, lines};
use super::locate::locate;
use super::read;
use super::stage::{self, Stage};
use crate::error::{Error, Result};

/// A Dockerfile.
#[derive(Clone, Debug, PartialEq)]
pub struct Dockerfile {
    /// What it is called in messages.
    pub name: String,
    /// As it was given.
    pub text: String,
    /// What `# syntax=` says, which changes nothing.
    pub syntax: Option<String>,
    /// The escape character: `\`, or what `# escape=` says.
    pub escape: char,
    /// What `# check=` says.
    pub check: CheckDirective,
    /// The `ARG`s before the first stage.
    pub args: Vec<Instruction>,
    /// The stages; there is at least one.
    pub stages: Vec<Stage>,
    /// What was noticed while reading; [`crate::dockerfile::checks::check`] has all of it.
    pub warnings: Vec<Warning>,
}

impl Dockerfile {
    /// An error with its place in this file.
    pub fn locate(&self, span: Span, error: Error) -> Error {
        locate(&self.name, &self.text, span, error)
    }
}

/// Reads a Dockerfile. `name`: what messages call it.
///
/// # Errors
/// `invalid`, with the line and the instruction.
pub fn parse(text: &str, name: &str) -> Result<Dockerfile> {
    let at = |(span, error)| locate(name, text, span, error);
    let stripped = text.strip_prefix('\u{feff}').unwrap_or(text);
    let directives =
        directives::read(stripped).map_err(|(line, error)| at((Span { first: line, last: line }, error)))?;
    let lines = lines(stripped, directives.escape).map_err(at)?;
    let mut file = Dockerfile {
        name: name.to_owned(),
        text: text.to_owned(),
        syntax: directives.syntax,
        escape: directives.escape,
        check: directives.check,
        args: Vec::new(),
        stages: Vec::new(),
        warnings: Vec::new(),
    };
    for line in &lines {
        add(&mut file, line).map_err(|error| at((line.span, file.foreign(error))))?;
    }
    if file.stages.is_empty() {
        let message = if lines.is_empty() { "the file has no instructions" } else { "the file has no stage" };
        return Err(Error::invalid(message).hint("begin it with `FROM IMAGE`").context(name));
    }
    Ok(file)
}

/// An instruction by itself, as `ONBUILD` of a base image keeps it.
///
/// # Errors
/// `invalid` when it is none, or not just one, or no trigger.
pub fn parse_trigger(line: &str, escape: char) -> Result<Instruction> {
    let read = |line: &str| {
        let instruction = parse_instruction(line, escape)?;
        read::no_trigger(&instruction.keyword.to_ascii_uppercase())?;
        Ok(instruction)
    };
    read(line)
        .map_err(|error: Error| error.context(format!("the trigger `{}`", line.lines().next().unwrap_or_default())))
}

/// An instruction by itself; any but `FROM`.
///
/// # Errors
/// `invalid` when it is none, or not just one.
pub fn parse_instruction(text: &str, escape: char) -> Result<Instruction> {
    let lines = lines(text, escape).map_err(|(_, error)| error)?;
    let [line] = &lines[..] else { return Err(Error::invalid("it is not one instruction")) };
    read::read(line, escape)
}

impl Dockerfile {
    /// What is written for another frontend is better told so than that it has wrong instructions.
    fn foreign(&self, error: Error) -> Error {
        match &self.syntax {
            Some(syntax) if self.stages.is_empty() && self.args.is_empty() && !self.text.contains('#') => {
                error.hint(format!("the file is for the frontend `{syntax}`, not a Dockerfile"))
            }
            _ => error,
        }
    }
}

fn add(file: &mut Dockerfile, line: &Line) -> Result<()> {
    if line.is_interrupted {
        file.warnings.push(empty_line(line.span));
    }
    if line.name() == "FROM" {
        file.stages.push(stage::read(line)?);
        return Ok(());
    }
    let instruction = read::read(line, file.escape)?;
    match (file.stages.last_mut(), &instruction.kind) {
        (Some(stage), _) => stage.instructions.push(instruction),
        (None, Kind::Arg(_)) => file.args.push(instruction),
        (None, _) => {
            return Err(Error::invalid(format!("{} comes before the first stage", line.name()))
                .hint("begin the file with `FROM IMAGE`; only `ARG` may come before"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
