//! What completion knows besides the catalogue: the variables and functions of the prompt, and Rhai's own methods.

use crate::repl::memory::Memory;
use crate::script::binding::script_type_name;
use rhai::Engine;
use std::collections::{BTreeMap, BTreeSet};

/// Names at the prompt, at one moment.
#[derive(Default)]
pub struct Known {
    variables: BTreeMap<String, String>,
    functions: BTreeSet<String>,
    standard: BTreeMap<&'static str, BTreeSet<String>>,
}

impl Known {
    /// What is known now.
    pub fn of(engine: &Engine, memory: &Memory) -> Self {
        Self {
            variables: memory.variables().map(|(name, value)| (name.to_owned(), script_type_name(value))).collect(),
            functions: memory.functions().map(str::to_owned).collect(),
            standard: standard_methods(engine),
        }
    }

    /// Names of the variables.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.variables.keys().map(String::as_str)
    }

    /// The type of a variable's value.
    pub fn variable_type(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// Names of the functions.
    pub fn functions(&self) -> impl Iterator<Item = &str> {
        self.functions.iter().map(String::as_str)
    }

    /// Rhai's own methods of strings, arrays, maps and blobs.
    pub fn standard_methods(&self, type_name: &str) -> impl Iterator<Item = &str> {
        self.standard.get(type_name).into_iter().flatten().map(String::as_str)
    }
}

/// By the type of the first parameter, as Rhai's metadata has it: `array: &mut Array`.
fn standard_methods(engine: &Engine) -> BTreeMap<&'static str, BTreeSet<String>> {
    let mut methods: BTreeMap<&'static str, BTreeSet<String>> = BTreeMap::new();
    let found = engine.collect_fn_metadata(
        None,
        |function| {
            let receiver = match function.metadata.params_info.first()?.rsplit([' ', ':']).next()? {
                "Array" => "array",
                "Map" => "map",
                "Blob" => "blob",
                "ImmutableString" | "&str" | "String" => "string",
                _ => return None,
            };
            Some((receiver, function.metadata.name.to_string()))
        },
        true,
    );
    for (receiver, name) in found {
        if name.starts_with(|c: char| c.is_ascii_lowercase()) && !name.contains('$') {
            methods.entry(receiver).or_default().insert(name);
        }
    }
    methods
}
