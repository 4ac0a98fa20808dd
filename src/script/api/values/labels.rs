//! Labels: a map or `["key=value"]`.

use super::{each, entries, items, script_value, string_or_refuse, text};
use crate::model::label;
use crate::script::binding::Refusal;
use rhai::Dynamic;

/// Keys and values; in a filter an empty value matches any.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Labels(pub Vec<(String, String)>);

script_value!(Labels, "map or [\"key=value\"]", |value| value.is_map() || value.is_array() || value.is_string(), read);

fn read(value: Dynamic) -> Result<Labels, Refusal> {
    if !value.is_map() {
        return each(items(value), |item| Ok(label::parse(&string_or_refuse(&item, "`key=value`")?)?)).map(Labels);
    }
    let one = |(key, value): (rhai::Identifier, Dynamic)| {
        let value = value.flatten();
        let value = if value.is_unit() { Some(String::new()) } else { text(&value) }
            .ok_or_else(|| Refusal::wrong_type("string", &value).inside(&format!("label `{key}`")))?;
        Ok(label::parse(&format!("{key}={value}"))?)
    };
    entries(value).into_iter().map(one).collect::<Result<_, _>>().map(Labels)
}
