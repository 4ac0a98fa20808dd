//! Limits: of resources, as `["nofile=1024:2048"]` or a map, and of swap.

use super::{each, entries, items, script_value, text, text_or_refuse};
use crate::error::Error;
use crate::model::{Ulimit, size};
use crate::script::binding::{Options, Refusal, describe, options_from_map};
use rhai::Dynamic;

/// Resource limits of a process.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ulimits(pub Vec<Ulimit>);

script_value!(
    Ulimits,
    "map or [\"nofile=1024:2048\"]",
    |value| value.is_map() || value.is_array() || value.is_string(),
    read
);

/// The map form of one limit; -1 is unlimited.
#[derive(Default, Options)]
struct UlimitMap {
    /// `nofile`, `nproc`, …
    #[option(alias = "Name")]
    name: Option<String>,
    /// Soft limit.
    #[option(alias = "Soft")]
    soft: Option<i64>,
    /// Hard limit.
    #[option(alias = "Hard")]
    hard: Option<i64>,
}

impl UlimitMap {
    fn limit(self, name: Option<&str>) -> Result<Ulimit, Refusal> {
        let name = name.or(self.name.as_deref()).ok_or_else(|| Error::invalid("the limit has no `name`"))?;
        let soft =
            self.soft.or(self.hard).ok_or_else(|| Error::invalid(format!("the limit of `{name}` is missing")))?;
        Ok(Ulimit::new(name, soft, self.hard.unwrap_or(soft))?)
    }
}

fn read(value: Dynamic) -> Result<Ulimits, Refusal> {
    if value.is_map() {
        let one = |(name, value): (rhai::Identifier, Dynamic)| {
            let value = value.flatten();
            let limit = if value.is_map() {
                options_from_map::<UlimitMap>(value).and_then(|map| map.limit(Some(&name)))
            } else {
                let limits = text_or_refuse(&value, "int or #{soft, hard}");
                limits.and_then(|limits| Ok(format!("{name}={limits}").parse()?))
            };
            limit.map_err(|refusal| refusal.inside(&format!("limit `{name}`")))
        };
        return entries(value).into_iter().map(one).collect::<Result<_, _>>().map(Ulimits);
    }
    each(items(value), |item| {
        if item.is_map() {
            return options_from_map::<UlimitMap>(item)?.limit(None);
        }
        Ok(text_or_refuse(&item, "`nofile=1024:2048`")?.parse()?)
    })
    .map(Ulimits)
}

/// Memory and swap together: a size, or -1 for unlimited swap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Swap(pub i64);

script_value!(Swap, "size or -1", |value| value.is_string() || value.is_int(), read_swap);

fn read_swap(value: Dynamic) -> Result<Swap, Refusal> {
    if let Ok(bytes) = value.as_int() {
        return if bytes >= -1 { Ok(Swap(bytes)) } else { Err(Refusal::wrong_type("size or -1", &value)) };
    }
    match text(&value).as_deref() {
        Some("-1") => Ok(Swap(-1)),
        Some(text) => {
            let bytes = i64::try_from(size::parse(text)?);
            Ok(Swap(bytes.map_err(|_| Error::invalid(format!("{} is too large", describe(&value))))?))
        }
        None => Err(Refusal::wrong_type("size or -1", &value)),
    }
}
