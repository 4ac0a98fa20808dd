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
