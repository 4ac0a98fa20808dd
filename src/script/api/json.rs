//! `json::`: values and their JSON text.

use crate::error::{Error, IoContext, Result};
use crate::script::binding::{Call, api, to_json};
use rhai::Dynamic;
use serde_json::Value;
use std::path::PathBuf;

/// The value of a JSON text.
///
/// # Example
/// assert_eq(json::parse(`{"a": [1, null]}`).a[0], 1);
///
/// # Errors
/// `invalid`, with line and column.
#[api(module = "json")]
pub fn parse(text: String) -> Result<Value> {
    serde_json::from_str(&text).map_err(|error| Error::invalid(format!("it is not JSON: {error}")))
}

/// A value as JSON text on one line.
///
/// # Example
/// assert_eq(json::stringify([1, "a"]), `[1,"a"]`);
#[api(module = "json")]
pub fn stringify(call: &Call, value: Dynamic) -> Result<String> {
    Ok(to_json(&value, call)?.to_string())
}

/// A value as JSON text over several lines.
///
/// # Example
/// assert(json::pretty(#{ a: 1 }).contains("\n"));
#[api(module = "json")]
pub fn pretty(call: &Call, value: Dynamic) -> Result<String> {
    Ok(format!("{:#}", to_json(&value, call)?))
}

/// The value in a JSON file.
///
/// # Example
/// let file = fs::temp_dir() + "/x.json";
/// json::write(file, #{ a: 1 });
/// assert_eq(json::read(file).a, 1);
///
/// # Errors
/// `not_found`, `invalid`.
#[api(module = "json")]
pub fn read(path: PathBuf) -> Result<Value> {
    let text = std::fs::read_to_string(&path).doing(|| format!("cannot read `{}`", path.display()))?;
    parse(text).map_err(|error| error.context(format!("`{}`", path.display())))
}

/// Writes a value into a file, as JSON over several lines.
///
/// # Example
/// json::write(fs::temp_dir() + "/x.json", [1, 2]);
#[api(module = "json")]
pub fn write(call: &Call, path: PathBuf, value: Dynamic) -> Result<()> {
    let text = format!("{:#}\n", to_json(&value, call)?);
    std::fs::write(&path, text).doing(|| format!("cannot write `{}`", path.display()))
}
