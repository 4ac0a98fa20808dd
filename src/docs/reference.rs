//! The whole reference as Markdown.

use crate::script::binding::{FunctionDoc, function_help, functions, types};
use std::fmt::Write;

/// Every function, module and type.
pub fn reference() -> String {
    let mut text = String::from("# Shanty script reference\n\n## Functions\n\n");
    for function in functions().iter().filter(|function| function.receiver.is_none() && function.module.is_none()) {
        section(&mut text, function);
    }
    let mut modules: Vec<_> = functions().iter().filter_map(|function| function.module).collect();
    modules.dedup();
    for module in modules {
        let _ = writeln!(text, "## `{module}::`\n");
        for function in functions().iter().filter(|function| function.module == Some(module)) {
            section(&mut text, function);
        }
    }
    for doc in types() {
        let _ = writeln!(text, "## {}\n\n{}\n", doc.name, doc.doc);
        for function in doc.members() {
            section(&mut text, function);
        }
    }
    text
}

fn section(text: &mut String, function: &FunctionDoc) {
    let help = function_help(function);
    let (signature, rest) = help.split_once("\n\n").unwrap_or((&help, ""));
    let _ = writeln!(text, "### `{signature}`\n");
    let mut in_example = false;
    for line in rest.trim_end().lines() {
        if in_example && (line.starts_with("# ") || line == "Options") {
            text.push_str("```\n\n");
            in_example = false;
        }
        if line.starts_with("# Example") {
            text.push_str("```rhai\n");
            in_example = true;
        } else if line.starts_with("  ") && !in_example {
            let _ = writeln!(text, "- {}", line.trim());
        } else {
            let _ = writeln!(text, "{line}");
        }
    }
    text.push_str(if in_example { "```\n\n" } else { "\n" });
}
