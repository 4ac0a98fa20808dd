//! Signals, as arguments.

use super::{script_value, text_or_refuse};
use crate::script::binding::Refusal;
use rhai::Dynamic;

/// `"TERM"`, `"SIGTERM"` or `15`.
#[derive(Clone, Debug, PartialEq)]
pub struct SignalName(pub String);

script_value!(SignalName, "signal such as \"TERM\" or 15", |value| value.is_string() || value.is_int(), read);

fn read(value: Dynamic) -> Result<SignalName, Refusal> {
    text_or_refuse(&value, "signal such as \"TERM\" or 15").map(SignalName)
}
