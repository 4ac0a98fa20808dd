//! What `docker build --check` warns of: BuildKit's rules under BuildKit's names.

mod instructions;
mod stages;
mod variables;

use super::ignore::Ignore;
use super::instruction::Span;
use super::parse::Dockerfile;

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

/// What is known besides the file.
#[derive(Clone, Copy, Default)]
pub struct CheckInput<'a> {
    /// Names of the build arguments that are given.
    pub build_args: &'a [String],
    /// What is left out of the context.
    pub ignore: Option<&'a Ignore>,
    /// The names of variables that a base image sets, when the image is there. Of one that is not, `UndefinedVar` says that it
    /// may have them.
    pub base_env: Option<BaseEnv<'a>>,
}

/// Names of the variables of an image; `None`: it is not here.
pub type BaseEnv<'a> = &'a dyn Fn(&str) -> Option<Vec<String>>;

/// The warnings that `# check=` does not skip, by their place.
pub fn check(file: &Dockerfile, input: &CheckInput<'_>) -> Vec<Warning> {
    let mut found = Found { warnings: file.warnings.clone() };
    stages::check(file, &mut found);
    variables::check(file, input, &mut found);
    for stage in &file.stages {
        instructions::check(stage, &mut found);
    }
    let mut warnings = found.warnings;
    warnings.retain(|warning| file.check.wants(warning.rule, ON_TRIAL.contains(&warning.rule)));
    warnings.sort_by_key(|warning| (warning.span.first, warning.rule));
    warnings.dedup();
    warnings
}

/// Rules that are checked only when `# check=experimental=` asks for them.
const ON_TRIAL: [&str; 1] = ["InvalidDefinitionDescription"];

/// Warnings as they come together.
struct Found {
    warnings: Vec<Warning>,
}

impl Found {
    fn add(&mut self, rule: &'static str, span: Span, message: String, hint: impl Into<Option<String>>) {
        self.warnings.push(Warning { rule, message, span, hint: hint.into() });
    }

    /// A description of a stage or an argument begins with its name.
    fn description(&mut self, what: &str, names: &[&str], comments: &[String], span: Span) {
        let (Some(comment), Some(name)) = (comments.last(), names.first()) else { return };
        let first = comment.split(' ').next().unwrap_or_default();
        if !names.contains(&first) {
            let hint = format!("write `# {name} DESCRIPTION`, or put an empty line below the comment");
            self.add("InvalidDefinitionDescription", span, format!("the comment does not describe the {what}"), hint);
        }
    }
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

#[cfg(test)]
mod tests;
