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
