//! Runs one script from its text to its end, clean-up included.

use crate::script::{Host, Report};
use rhai::{Dynamic, EvalAltResult, Scope};

/// How a script ended.
pub enum Outcome {
    /// It ran to its end; its last value.
    Value(Dynamic),
    /// It called `exit`.
    Exit(u8),
    /// It threw, or its clean-up did.
    Threw(Report),
    /// It does not parse.
    DoesNotParse(Report),
    /// Ctrl-C or SIGTERM.
    Interrupted,
}

/// Runs a script. `source`: its canonical path, or `<eval>` and the like.
pub fn run(host: &Host, text: &str, source: &str) -> Outcome {
    let mut scope = script_scope(host);
    let ast = match host.compile(&without_shebang(text), source, &scope) {
        Ok(ast) => ast,
        Err(error) => return Outcome::DoesNotParse(host.report_parse_error(&error, source)),
    };
    let result = host.run(&ast, &mut scope);
    let session = host.session();
    let failures = session.clean_up(None);
    outcome(host, result, source, &failures)
}

fn outcome(
    host: &Host,
    result: Result<Dynamic, Box<EvalAltResult>>,
    source: &str,
    failures: &[crate::error::Error],
) -> Outcome {
    let session = host.session();
    session.warn_of(failures);
    if let Some(code) = session.exit_code() {
        return Outcome::Exit(code);
    }
    // Also when it seems to have ended well: `sort` swallows what its closure throws.
    if session.root_context().cancel.reason().is_some() {
        return Outcome::Interrupted;
    }
    let thrown = match result {
        Ok(value) => match failures.first() {
            None => return Outcome::Value(value),
            Some(failure) => return Outcome::Threw(Report::plain(failure.clone().context("clean-up"))),
        },
        Err(thrown) => thrown,
    };
    Outcome::Threw(host.report(&thrown, source))
}

/// Parses a script without running it.
pub fn check(host: &Host, text: &str, source: &str) -> Option<Report> {
    let error = host.compile(&without_shebang(text), source, &script_scope(host)).err()?;
    Some(host.report_parse_error(&error, source))
}

/// What the top level of a script sees: `args`.
fn script_scope(host: &Host) -> Scope<'static> {
    let mut scope = Scope::new();
    let args: rhai::Array = host.session().args().iter().map(|arg| arg.clone().into()).collect();
    // Not a constant: Rhai's optimizer would put it in place of parameters that have the same name.
    scope.push("args", args);
    scope
}

/// `#!/usr/bin/env shanty` as a comment, so that lines and columns stay as they are. Three slashes
/// would be a doc comment.
fn without_shebang(text: &str) -> String {
    match text.strip_prefix("#!") {
        Some(rest) => format!("// {}", rest.strip_prefix('/').unwrap_or(rest)),
        None => text.to_owned(),
    }
}
