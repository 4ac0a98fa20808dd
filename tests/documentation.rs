//! Every function of the script API is documented, and what its documentation shows works.

use shanty::context::Context;
use shanty::docs::examples;
use shanty::error::Error;
use shanty::runner::{self, Outcome};
use shanty::script::binding::functions;
use shanty::script::{Host, Settings};
use std::collections::BTreeSet;

fn host() -> Host {
    let settings = Settings {
        args: vec![],
        folder: "/".into(),
        open_engine: Box::new(|| Err(Error::unsupported("examples run without an engine"))),
        print: Box::new(|_| Ok(())),
        warn: Box::new(|_| {}),
        context: Context::background(),
    };
    Host::new(settings, true)
}

#[test]
fn examples_run() {
    let mut failures = Vec::new();
    for example in examples() {
        let outcome = Host::on_large_stack(|| {
            let host = host();
            if example.needs_engine {
                return runner::check(&host, &example.code, &example.path).map(|report| report.draw(false));
            }
            match runner::run(&host, &example.code, &example.path) {
                Outcome::Value(_) | Outcome::Exit(0) => None,
                Outcome::Threw(report) | Outcome::DoesNotParse(report) => Some(report.draw(false)),
                Outcome::Exit(code) => Some(format!("it ended with code {code}")),
                Outcome::Interrupted => Some("it was interrupted".to_owned()),
            }
        });
        failures.extend(outcome.unwrap());
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn everything_is_documented() {
    let shown: BTreeSet<_> = examples().into_iter().map(|example| example.path).collect();
    let mut wrong = Vec::new();
    for function in functions() {
        let path = function.path();
        if !function.summary().trim().ends_with(['.', ':', '`']) {
            wrong.push(format!("{path}: its docs do not start with a sentence"));
        }
        if !function.is_property() && function.receiver.is_none() && !shown.contains(&path) {
            wrong.push(format!("{path}: it has no example"));
        }
        for parameter in function.parameters {
            for option in (parameter.options)().iter().filter(|option| option.doc.is_empty()) {
                wrong.push(format!("{path}: the option `{}` is not documented", option.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A promise is as good as its test.
#[test]
fn the_tests_that_security_md_names_exist() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(folder.join("SECURITY.md")).unwrap();
    let (_, promises) = text.split_once("## What is promised").unwrap();
    let names: Vec<&str> =
        promises.split('`').filter(|word| word.matches("::").count() > 0 && !word.contains(' ')).collect();
    assert!(names.len() > 30, "{names:?}");
    // The first one says how to read them.
    for name in names.iter().filter(|name| **name != "a::b::c") {
        let (module, test) = name.rsplit_once("::").unwrap();
        let file = folder.join("tests").join(module.replace("::", "/")).with_extension("rs");
        let source =
            std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{name}: {}: {error}", file.display()));
        let is_there =
            source.split("#[test]").skip(1).any(|after| after.trim_start().starts_with(&format!("fn {test}(")));
        assert!(is_there, "`{name}` is named in SECURITY.md and not there");
    }
    for row in promises.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| promise")) {
        assert!(row.contains("::"), "a promise without a test: {row}");
    }
}
