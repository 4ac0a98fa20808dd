//! Restart policies: `"on-failure:3"` or `#{ name: "on-failure", max_retries: 3 }`.

use super::script_value;
use crate::model::RestartPolicy;
use crate::script::binding::{Options, Refusal, options_from_map};
use rhai::Dynamic;

/// When to start a container again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Restart(pub RestartPolicy);

script_value!(Restart, "string or map", |value| value.is_string() || value.is_map(), read);

/// The map form.
#[derive(Default, Options)]
struct RestartMap {
    /// `no`, `on-failure`, `always`, `unless-stopped`.
    #[option(alias = "condition", alias = "Name")]
    name: String,
    /// Most restarts after a failure.
    #[option(alias = "max_attempts", alias = "maximum_retry_count", alias = "MaximumRetryCount")]
    max_retries: Option<u32>,
}

fn read(value: Dynamic) -> Result<Restart, Refusal> {
    if value.is_string() {
        return Ok(Restart(value.to_string().parse()?));
    }
    if !value.is_map() {
        return Err(Refusal::wrong_type("string or map", &value));
    }
    let map: RestartMap = options_from_map(value)?;
    let text = match map.max_retries {
        Some(count) if count > 0 => format!("{}:{count}", map.name),
        _ => map.name,
    };
    Ok(Restart(text.parse()?))
}
