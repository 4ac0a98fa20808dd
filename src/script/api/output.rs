//! What a script shows: `print`, tables, JSON.

use crate::error::{Error, Result};
use crate::script::binding::{Call, api, display, to_json};
use rhai::Dynamic;

/// Prints a value: a handle as a short record, an array of handles as a table.
///
/// # Example
/// print("hello");
/// print([1, 2, 3]);
#[api]
pub fn print(call: &Call, value: Option<Dynamic>) -> Result<()> {
    let text = value.map(|value| display(&value, call)).unwrap_or_default();
    call.session().print(&text)
}

/// A value as the text that `print` shows.
///
/// # Example
/// assert_eq(text([1, "a"]), `[1, "a"]`);
#[api]
pub fn text(call: &Call, value: Dynamic) -> String {
    display(&value, call)
}

/// A value as one line of JSON; handles become the map of their properties.
///
/// # Example
/// assert_eq(to_json(#{ name: "web", ports: [80] }), `{"name":"web","ports":[80]}`);
#[api(name = "to_json")]
pub fn json_text(call: &Call, value: Dynamic) -> Result<String> {
    Ok(to_json(&value, call)?.to_string())
}

/// An array of handles or maps as text in columns: all of them, or those that are named, in this order.
///
/// # Example
/// assert(table([#{ a: 1, b: 2 }]).contains("A"));
/// assert(table([#{ a: 1, b: 2 }], ["b", "a"]).starts_with("B"));
#[api]
pub fn table(call: &Call, rows: Vec<Dynamic>, columns: Option<Vec<String>>) -> String {
    crate::script::binding::table(&rows, columns, call)
}

/// A number of bytes as people read it, in powers of 1024.
///
/// # Example
/// assert_eq(format_size(1536), "1.5KiB");
#[api]
pub fn format_size(bytes: crate::script::binding::Size) -> String {
    crate::model::size::format(bytes.0)
}

/// Ends the script with an exit code, 0 to 255. What `defer` and `scope` own is cleaned up first.
///
/// # Example
/// if false { exit(3); }
#[api]
pub fn exit(call: &Call, code: Option<i64>) -> Result<()> {
    let given = code.unwrap_or(0);
    let Ok(code) = u8::try_from(given) else {
        return Err(Error::invalid(format!("`{given}` is not an exit code")).hint("it is a number from 0 to 255"));
    };
    call.session().exit(code);
    let exit = rhai::EvalAltResult::Exit(given.into(), call.native().call_position());
    Err(crate::script::binding::error_from_thrown(Box::new(exit)))
}
