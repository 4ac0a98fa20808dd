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
    let thrown = match result {
        Ok(_) if session.exit_code().is_some() => return Outcome::Exit(session.exit_code().unwrap_or_default()),
        Ok(value) => match failures.first() {
            None => return Outcome::Value(value),
            Some(failure) => return Outcome::Threw(Report::plain(failure.clone().context("clean-up"))),
        },
        Err(thrown) => thrown,
    };
    if session.root_context().cancel.reason().is_some() {
        return Outcome::Interrupted;
    }
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
    scope.push_constant("args", args);
    scope
}

/// `#!/usr/bin/env shanty` as a comment, so that lines and columns stay as they are.
fn without_shebang(text: &str) -> String {
    match text.strip_prefix("#!") {
        Some(rest) => format!("//{rest}"),
        None => text.to_owned(),
    }
}
