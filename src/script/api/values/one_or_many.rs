//! A list of texts that may be given as one text.

use super::{each, items, script_value, text_or_refuse};
use crate::script::binding::Refusal;
use rhai::Dynamic;

/// `"a"` or `["a", "b"]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OneOrMany(pub Vec<String>);

script_value!(OneOrMany, "string or array", |value| value.is_string() || value.is_array(), read);

fn read(value: Dynamic) -> Result<OneOrMany, Refusal> {
    each(items(value), |item| text_or_refuse(&item, "string or array")).map(OneOrMany)
}
