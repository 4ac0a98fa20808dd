//! `assert` and its like.

use crate::error::{Error, ErrorKind, Result};
use crate::script::binding::{Call, Callback, api, display, error_map, must_end, to_json};
use rhai::{Dynamic, Map};

/// Throws when the condition is not true.
///
/// # Example
/// assert(1 < 2, "numbers are in order");
#[api]
pub fn assert(condition: bool, message: Option<String>) -> Result<()> {
    if condition {
        return Ok(());
    }
    Err(failed(message.unwrap_or_else(|| "the condition is false".to_owned())))
}

/// Throws when two values differ.
///
/// # Example
/// assert_eq([1, 2].len(), 2);
#[api]
pub fn assert_eq(call: &Call, left: Dynamic, right: Dynamic, message: Option<String>) -> Result<()> {
    if is_equal(call, &left, &right)? {
        return Ok(());
    }
    let said = message.map(|message| format!("{message}: ")).unwrap_or_default();
    Err(failed(format!("{said}left is {}, right is {}", shown(call, &left), shown(call, &right))))
}

/// Throws when two values are equal.
///
/// # Example
/// assert_ne("a", "b");
#[api]
pub fn assert_ne(call: &Call, left: Dynamic, right: Dynamic, message: Option<String>) -> Result<()> {
    if !is_equal(call, &left, &right)? {
        return Ok(());
    }
    let said = message.map(|message| format!("{message}: ")).unwrap_or_default();
    Err(failed(format!("{said}both are {}", shown(call, &left))))
}

/// Throws when the closure does not throw an error of this kind; gives the error.
///
/// # Example
/// let e = assert_throws("invalid", || sleep("soon"));
/// assert(e.message.contains("soon"));
#[api]
pub fn assert_throws(call: &Call, kind: String, action: Callback) -> Result<Map> {
    if ErrorKind::from_name(&kind).is_none() {
        let names: Vec<_> = ErrorKind::ALL.into_iter().map(ErrorKind::name).collect();
        return Err(
            Error::invalid(format!("`{kind}` is not a kind of error")).hint(format!("kinds: {}", names.join(", ")))
        );
    }
    match action.call(call, Vec::new()) {
        Err(error) if must_end(&error) => Err(error),
        Err(error) if error.kind().name() == kind => Ok(error_map(&error)),
        Err(error) => Err(failed(format!("it threw `{}` instead of `{kind}`: {}", error.kind(), error.message()))),
        Ok(value) => Err(failed(format!("it did not throw `{kind}` but gave {}", shown(call, &value)))),
    }
}

fn failed(message: String) -> Error {
    Error::new(ErrorKind::Script, message).context("assertion failed")
}

/// Equal for Rhai, or the same as JSON: that compares arrays, maps and handles by what they hold.
fn is_equal(call: &Call<'_>, left: &Dynamic, right: &Dynamic) -> Result<bool> {
    let compared = call.native().call_native_fn::<bool>("==", (left.clone(), right.clone()));
    if compared.is_ok_and(|equal| equal) {
        return Ok(true);
    }
    Ok(left.type_id() == right.type_id() && to_json(left, call)? == to_json(right, call)?)
}

fn shown(call: &Call<'_>, value: &Dynamic) -> String {
    if value.is_string() { format!("{:?}", value.to_string()) } else { display(value, call) }
}
