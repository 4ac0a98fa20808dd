//! Environment variables: a map or `["K=V"]`.

use super::{each, entries, items, script_value, string_or_refuse, text};
use crate::model::env;
use crate::script::binding::Refusal;
use rhai::Dynamic;

/// Variables and their values, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Environment(pub Vec<(String, String)>);

script_value!(Environment, "map or [\"K=V\"]", |value| value.is_map() || value.is_array() || value.is_string(), read);

/// The host's value of a variable, for `K` alone.
pub fn host_value(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn read(value: Dynamic) -> Result<Environment, Refusal> {
    let variables = if value.is_map() {
        let one = |(name, value): (rhai::Identifier, Dynamic)| {
            let value = value.flatten();
            // As in Compose, a variable without a value takes the host's.
            let line = match text(&value) {
                Some(text) => format!("{name}={text}"),
                None if value.is_unit() => name.to_string(),
                None => return Err(Refusal::wrong_type("string", &value).inside(&format!("variable `{name}`"))),
            };
            Ok(env::parse(&line, &host_value)?)
        };
        entries(value).into_iter().map(one).collect::<Result<Vec<_>, _>>()?
    } else {
        each(items(value), |item| Ok(env::parse(&string_or_refuse(&item, "`K=V`")?, &host_value)?))?
    };
    Ok(Environment(variables.into_iter().flatten().collect()))
}
