//! Lines for `/etc/hosts`: a map or `["name:address"]`.

use super::{each, entries, items, script_value, text_or_refuse};
use crate::model::extra_host;
use crate::script::binding::Refusal;
use rhai::Dynamic;

/// Names and addresses.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExtraHosts(pub Vec<(String, String)>);

script_value!(
    ExtraHosts,
    "map or [\"name:address\"]",
    |value| value.is_map() || value.is_array() || value.is_string(),
    read
);

fn read(value: Dynamic) -> Result<ExtraHosts, Refusal> {
    if !value.is_map() {
        return each(items(value), |item| Ok(extra_host::parse(&text_or_refuse(&item, "`name:address`")?)?))
            .map(ExtraHosts);
    }
    let one = |(name, address): (rhai::Identifier, Dynamic)| {
        Ok(extra_host::new(&name, &text_or_refuse(&address.flatten(), "address")?)?)
    };
    entries(value).into_iter().map(one).collect::<Result<_, _>>().map(ExtraHosts)
}
