//! Commands: an array is an argv, a string is split into words.

use super::{script_value, text_or_refuse};
use crate::model::command;
use crate::script::binding::Refusal;
use rhai::Dynamic;

/// A command and its arguments.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CommandLine(pub Vec<String>);

script_value!(CommandLine, "string or array of strings", |value| value.is_string() || value.is_array(), read);

impl CommandLine {
    /// `/bin/sh -c line`.
    pub fn shell(line: String) -> Self {
        Self(vec!["/bin/sh".into(), "-c".into(), line])
    }
}

fn read(value: Dynamic) -> Result<CommandLine, Refusal> {
    const TAKES: &str = "string or array of strings";
    if value.is_string() {
        return Ok(CommandLine(command::split(&value.to_string())?));
    }
    if !value.is_array() {
        return Err(Refusal::wrong_type(TAKES, &value));
    }
    super::each(value.into_array().unwrap_or_default(), |item| text_or_refuse(&item, "string")).map(CommandLine)
}
