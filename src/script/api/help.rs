//! `help()`.

use crate::error::{Error, Result};
use crate::script::binding::{Call, FunctionReference, api, help_on_function, help_text, overview};
use rhai::Dynamic;

/// Prints what there is, or what one thing does: a name, a function (`help(c.run)`), or a value of a type.
///
/// # Example
/// help("sleep");
/// help("Duration");
#[api]
pub fn help(call: &Call, thing: Option<Dynamic>) -> Result<()> {
    let text = match thing {
        None => overview(),
        Some(thing) if thing.is_string() => help_text(&thing.into_string().unwrap_or_default())?,
        Some(thing) => match thing.read_lock::<FunctionReference>().and_then(|reference| reference.function()) {
            Some(function) => help_on_function(function),
            None if thing.is_fnptr() => return Err(no_help("a function of the script")),
            None => help_text(call.native().engine().map_type_name(thing.type_name()))?,
        },
    };
    call.session().print(text.trim_end())
}

fn no_help(thing: &str) -> Error {
    Error::not_found(format!("there is no help on {thing}")).hint("`help()` lists everything")
}
