//! The script's own process: its arguments and environment.

use crate::error::{Error, Result};
use crate::script::binding::{Call, FromScript, Refusal, api};
use rhai::Dynamic;

/// What followed the file on the command line.
///
/// # Example
/// for arg in args() { print(arg); }
#[api]
pub fn args(call: &Call) -> Vec<String> {
    call.session().args().to_vec()
}

/// What `env` gives for a variable that is not set; `()` is a value like others.
pub struct Fallback(Option<Dynamic>);

impl FromScript for Fallback {
    const OPTIONAL: bool = true;
    fn type_name() -> String {
        <Dynamic as FromScript>::type_name()
    }
    fn accepts(_: &Dynamic) -> bool {
        true
    }
    fn from_script(value: Dynamic) -> Result<Self, Refusal> {
        Ok(Self(Some(value)))
    }
    fn absent() -> Option<Self> {
        Some(Self(None))
    }
}

/// A variable of the environment, else the default.
///
/// # Example
/// assert_eq(env("SURELY_NOT_SET", "x"), "x");
/// assert_eq(env("SURELY_NOT_SET", ()), ());
///
/// # Errors
/// `not_found` when it is not set and there is no default.
#[api]
pub fn env(name: String, default: Fallback) -> Result<Dynamic> {
    if let Some(value) = std::env::var_os(&name) {
        return Ok(value.to_string_lossy().into_owned().into());
    }
    default.0.ok_or_else(|| {
        Error::not_found(format!("the environment variable `{name}` is not set"))
            .hint(format!("set it, or give a default: `env(\"{name}\", \"…\")`"))
    })
}
