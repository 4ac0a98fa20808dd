//! Standard input: held open, or given as text.

use super::script_value;
use crate::script::binding::Refusal;
use rhai::Dynamic;

/// What a command reads.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Stdin {
    /// Nothing: the end of file at once.
    #[default]
    Closed,
    /// Nothing, but without an end.
    Open,
    /// This, then the end of file.
    Data(Vec<u8>),
}

script_value!(Stdin, "string, blob or bool", |value| value.is_string() || value.is_blob() || value.is_bool(), read);

fn read(value: Dynamic) -> Result<Stdin, Refusal> {
    if let Ok(open) = value.as_bool() {
        return Ok(if open { Stdin::Open } else { Stdin::Closed });
    }
    if value.is_blob() {
        return Ok(Stdin::Data(value.into_blob().unwrap_or_default()));
    }
    if value.is_string() {
        return Ok(Stdin::Data(value.to_string().into_bytes()));
    }
    Err(Refusal::wrong_type("string, blob or bool", &value))
}
