//! The examples of the doc comments, which run as tests.

use crate::script::binding::{FunctionDoc, functions};

/// One example of a doc comment.
pub struct Example {
    /// The function it belongs to, such as `fs::read`.
    pub path: String,
    /// The code.
    pub code: String,
    /// Needs a container engine, or something else that a test does not have.
    pub needs_engine: bool,
}

/// All examples, by function.
pub fn examples() -> Vec<Example> {
    functions().iter().flat_map(|function| examples_of(function)).collect()
}

fn examples_of(function: &FunctionDoc) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut inside = false;
    for line in function.doc.lines() {
        match line.trim_end() {
            heading @ ("# Example" | "# Example (engine)") => {
                inside = true;
                let needs_engine = heading != "# Example";
                examples.push(Example { path: function.path(), code: String::new(), needs_engine });
            }
            heading if heading.starts_with("# ") => inside = false,
            line if inside => {
                if let Some(example) = examples.last_mut() {
                    example.code.push_str(line);
                    example.code.push('\n');
                }
            }
            _ => {}
        }
    }
    examples
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Context;
    use crate::error::Error;
    use crate::runner::{self, Outcome};
    use crate::script::{Host, Settings};

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
        let mut wrong = Vec::new();
        for function in functions() {
            let path = function.path();
            // The binding layer's own tests add some.
            if path.contains("TestThing") || path == "test_thing" {
                continue;
            }
            if !function.summary().trim().ends_with(['.', ':', '`']) {
                wrong.push(format!("{path}: its docs do not start with a sentence"));
            }
            if !function.is_property() && function.receiver.is_none() && examples_of(function).is_empty() {
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
}
