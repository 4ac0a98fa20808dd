//! Help on one thing, written from the catalogue.

use super::{FunctionDoc, Kind, Object, OptionDoc, TypeDoc, functions, nearest, types};
use crate::error::{Error, Result};
use std::fmt::Write;

/// A function that was named without calling it: `help(c.run)`.
#[derive(Clone, Object)]
#[object(name = "Function")]
pub struct FunctionReference {
    path: String,
}

impl FunctionReference {
    /// The reference to a function of the catalogue.
    pub fn to(function: &FunctionDoc) -> Self {
        Self { path: function.path() }
    }

    /// What it refers to.
    pub fn function(&self) -> Option<&'static FunctionDoc> {
        functions().iter().copied().find(|function| function.path() == self.path)
    }
}

/// How a function is called, with its types: `Container.logs(options?: LogsOptions) -> string`.
pub fn signature(function: &FunctionDoc) -> String {
    let parameter = |parameter: &super::ParameterDoc| {
        let mark = if parameter.optional { "?" } else { "" };
        format!("{}{mark}: {}", parameter.name, (parameter.type_name)())
    };
    let parameters: Vec<_> = function.parameters.iter().map(parameter).collect();
    let returns = (function.returns)();
    match function.kind {
        Kind::Property { .. } => format!("{}: {returns}", function.path()),
        _ if returns == "()" => format!("{}({})", function.path(), parameters.join(", ")),
        _ => format!("{}({}) -> {returns}", function.path(), parameters.join(", ")),
    }
}

/// The help on a name: `image`, `Container`, `Container.logs`, `logs`, `fs`, `fs::read`.
pub fn help_text(name: &str) -> Result<String> {
    if let Some(doc) = types().iter().find(|doc| doc.name == name) {
        return Ok(type_help(doc));
    }
    let functions = functions();
    let exact: Vec<_> = functions.iter().filter(|function| function.path() == name).collect();
    let named = || functions.iter().filter(|function| function.name == name).collect::<Vec<_>>();
    // `container.exec`: as it is called on a variable.
    let alike = || functions.iter().filter(|function| function.path().eq_ignore_ascii_case(name)).collect::<Vec<_>>();
    let found = if exact.is_empty() { named() } else { exact };
    let found = if found.is_empty() { alike() } else { found };
    if !found.is_empty() {
        return Ok(found.into_iter().map(|function| help_on_function(function)).collect::<Vec<_>>().join("\n"));
    }
    let module: Vec<_> = functions.iter().copied().filter(|function| function.module == Some(name)).collect();
    if !module.is_empty() {
        return Ok(list(&module));
    }
    let paths: Vec<String> = functions.iter().map(|function| function.path()).collect();
    let known = functions.iter().map(|function| function.name).chain(types().iter().map(|doc| doc.name));
    let error = Error::not_found(format!("there is no help on `{name}`"));
    Err(match nearest(name, known.chain(paths.iter().map(String::as_str))) {
        Some(name) => error.hint(format!("did you mean `{name}`?")),
        None => error.hint("`help()` lists everything"),
    })
}

/// Everything there is, one line each.
pub fn overview() -> String {
    let mut text = String::from("Functions\n");
    let global: Vec<_> = functions().iter().copied().filter(|function| function.receiver.is_none()).collect();
    text.push_str(&list(&global));
    text.push_str("\nTypes\n");
    for doc in types() {
        let summary = doc.doc.lines().next().unwrap_or_default();
        let _ = writeln!(text, "  {:<24} {summary}", doc.name);
    }
    text.push_str("\n`help(\"name\")` says more about one of them.\n");
    text
}

/// The help on one function: signature, doc comment, options.
pub fn function_help(function: &FunctionDoc) -> String {
    let mut text = format!("{}\n\n{}\n", signature(function), function.doc);
    for parameter in function.parameters {
        let options = (parameter.options)();
        if !options.is_empty() {
            text.push_str("\nOptions\n");
            write_options(&mut text, &options, 2);
        }
    }
    text
}

/// What a person is told who asks for one function: what it gives can be asked for next.
pub fn help_on_function(function: &FunctionDoc) -> String {
    let mut text = function_help(function);
    let returns = (function.returns)();
    if function.receiver.is_none() && types().iter().any(|doc| doc.name == returns) {
        let _ = writeln!(text, "\n`help(\"{returns}\")` lists what can be done with it.");
    }
    text
}

fn write_options(text: &mut String, options: &[OptionDoc], indent: usize) {
    for option in options {
        let name = format!("{}: {}", option.name, (option.type_name)());
        let summary = option.doc.replace('\n', " ");
        let aliases =
            if option.aliases.is_empty() { String::new() } else { format!(" (or {})", option.aliases.join(", ")) };
        let _ = writeln!(text, "{:indent$}{name:<28} {summary}{aliases}", "");
        write_options(text, &(option.options)(), indent + 4);
    }
}

fn type_help(doc: &TypeDoc) -> String {
    let (properties, methods): (Vec<_>, Vec<_>) = doc.members().partition(|function| function.is_property());
    let mut text = format!("{}\n\n{}\n", doc.name, doc.doc);
    for (title, members) in [("Properties", properties), ("Methods", methods)] {
        if !members.is_empty() {
            let _ = write!(text, "\n{title}\n{}", list(&members));
        }
    }
    text
}

fn list(functions: &[&FunctionDoc]) -> String {
    let mut text = String::new();
    for function in functions {
        let _ = writeln!(text, "  {:<24} {}", function.path(), function.summary());
    }
    text
}
