//! When `run` and `create` ask the registry.

use super::script_value;
use crate::engine::PullPolicy;
use crate::error::Error;
use crate::script::binding::Refusal;
use rhai::Dynamic;

/// `missing`, `always`, `newer`, `never`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pull(pub PullPolicy);

script_value!(Pull, "\"missing\", \"always\", \"newer\" or \"never\"", Dynamic::is_string, read);

fn read(value: Dynamic) -> Result<Pull, Refusal> {
    match value.to_string().as_str() {
        "missing" | "if_not_present" => Ok(Pull(PullPolicy::Missing)),
        "always" => Ok(Pull(PullPolicy::Always)),
        "newer" => Ok(Pull(PullPolicy::Newer)),
        "never" => Ok(Pull(PullPolicy::Never)),
        other => Err(Error::invalid(format!("`{other}` does not say when to pull"))
            .hint("it is one of `missing`, `always`, `newer`, `never`")
            .into()),
    }
}
