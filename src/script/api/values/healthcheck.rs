//! Health checks: `"curl -f localhost"`, `["CMD", …]`, or a map with times.

use super::{script_value, text_or_refuse};
use crate::error::Error;
use crate::model::HealthcheckSpec;
use crate::script::binding::{Options, Refusal, options_from_map};
use rhai::Dynamic;
use std::time::Duration;

/// How to find out whether a container is healthy.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Healthcheck(pub HealthcheckSpec);

script_value!(
    Healthcheck,
    "map, string, array or false",
    |value| value.is_map() || value.is_string() || value.is_array() || value.is_bool(),
    read
);

/// The map form: Compose's keys.
#[derive(Default, Options)]
struct HealthcheckMap {
    /// A shell line, or an array that starts with `CMD`, `CMD-SHELL` or `NONE`.
    #[option(alias = "cmd", alias = "command")]
    test: Dynamic,
    /// Between two checks: 30 s.
    interval: Option<Duration>,
    /// Of one check: 30 s.
    timeout: Option<Duration>,
    /// Failures in a row that make it unhealthy: 3.
    retries: Option<u32>,
    /// Failures do not count so long after the start: 0 s.
    start_period: Option<Duration>,
    /// Between two checks in the start period: 5 s.
    start_interval: Option<Duration>,
    /// Takes the image's health check away.
    disable: bool,
}

fn read(value: Dynamic) -> Result<Healthcheck, Refusal> {
    if !value.is_map() {
        return Ok(Healthcheck(HealthcheckSpec { test: test(&value)?, ..HealthcheckSpec::default() }));
    }
    let map: HealthcheckMap = options_from_map(value)?;
    let test = if map.disable {
        vec!["NONE".to_owned()]
    } else if map.test.is_unit() {
        Vec::new()
    } else {
        test(&map.test).map_err(|refusal| refusal.inside("option `test`"))?
    };
    Ok(Healthcheck(HealthcheckSpec {
        test,
        interval: map.interval,
        timeout: map.timeout,
        retries: map.retries,
        start_period: map.start_period,
        start_interval: map.start_interval,
    }))
}

/// Docker's form of the test.
fn test(value: &Dynamic) -> Result<Vec<String>, Refusal> {
    if value.is_string() {
        return Ok(vec!["CMD-SHELL".to_owned(), value.to_string()]);
    }
    if let Ok(false) = value.as_bool() {
        return Ok(vec!["NONE".to_owned()]);
    }
    if !value.is_array() {
        return Err(Refusal::wrong_type("string or array", value));
    }
    let words = value.clone().into_array().unwrap_or_default();
    let words = super::each(words, |word| text_or_refuse(&word, "string"))?;
    match words.first().map(String::as_str) {
        Some("CMD" | "NONE") => Ok(words),
        Some("CMD-SHELL") if words.len() == 2 => Ok(words),
        Some("CMD-SHELL") => Err(Error::invalid("`CMD-SHELL` takes one line").into()),
        Some(_) => Ok(std::iter::once("CMD".to_owned()).chain(words).collect()),
        None => Err(Error::invalid("the test of the health check is empty").into()),
    }
}
