//! Logs: `"none"` or `#{ max_size: "10m", max_file: 3 }`, also as Compose and docker-py nest it.

use super::script_value;
use crate::error::Error;
use crate::model::LogSpec;
use crate::script::binding::{FromScript, Options, Refusal, Size, options_from_map};
use rhai::Dynamic;

/// What becomes of a container's output.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LogOption(pub LogSpec);

script_value!(LogOption, "map or string", |value| value.is_map() || value.is_string(), read);

/// The map form.
#[derive(Default, Options)]
struct LogMap {
    /// `json-file` or `none`.
    #[option(alias = "type", alias = "Type")]
    driver: Option<String>,
    /// The keys below, nested.
    #[option(alias = "log_opts", alias = "config", alias = "Config")]
    options: Option<Dynamic>,
    /// What they are.
    #[option(flatten)]
    limits: Limits,
}

/// Docker's options of `json-file`.
#[derive(Default, Options)]
struct Limits {
    /// Size at which the next file is begun: 10m; -1 or 0: never.
    #[option(alias = "max-size")]
    max_size: Option<Dynamic>,
    /// How many files are kept: 3.
    #[option(alias = "max-file", alias = "max_files")]
    max_file: Option<Dynamic>,
}

fn read(value: Dynamic) -> Result<LogOption, Refusal> {
    if value.is_string() {
        return Ok(LogOption(LogSpec { driver: value.to_string().parse()?, ..LogSpec::default() }));
    }
    let map: LogMap = options_from_map(value)?;
    let mut spec = LogSpec::default();
    if let Some(driver) = map.driver {
        spec.driver = driver.parse()?;
    }
    if let Some(nested) = map.options {
        limit(&mut spec, options_from_map(nested).map_err(|refusal| refusal.inside("option `options`"))?)?;
    }
    limit(&mut spec, map.limits)?;
    spec.check()?;
    Ok(LogOption(spec))
}

fn limit(spec: &mut LogSpec, limits: Limits) -> Result<(), Refusal> {
    if let Some(value) = limits.max_size {
        spec.max_size = size(value).map_err(|refusal| refusal.inside("option `max_size`"))?;
    }
    if let Some(value) = limits.max_file {
        let count = value.as_int().ok().or_else(|| value.to_string().trim().parse().ok());
        let count = count.and_then(|count| u32::try_from(count).ok());
        spec.max_files = count.ok_or_else(|| {
            Error::invalid(format!("`{value}` is not a number of files")).hint("write it as `max_file: 3`")
        })?;
    }
    Ok(())
}

/// Docker writes "no limit" as -1.
fn size(value: Dynamic) -> Result<u64, Refusal> {
    if value.to_string().trim() == "-1" {
        return Ok(0);
    }
    Size::from_script(value).map(|Size(bytes)| bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::model::LogDriver;

    fn spec(text: &str) -> Result<LogSpec, Refusal> {
        let value: Dynamic = rhai::Engine::new().eval(text).unwrap();
        LogOption::from_script(value).map(|LogOption(spec)| spec)
    }

    #[test]
    fn logs_are_said_in_the_words_of_docker_compose_and_docker_py() {
        let file = |max_size, max_files| LogSpec { driver: LogDriver::JsonFile, max_size, max_files };
        let none = LogSpec { driver: LogDriver::None, ..LogSpec::default() };
        let cases = [
            (r"#{}", file(10 << 20, 3)),
            (r#""json-file""#, file(10 << 20, 3)),
            (r#""none""#, none),
            (r#"#{ driver: "none" }"#, none),
            (r#"#{ max_size: "1m", max_file: 5 }"#, file(1 << 20, 5)),
            (r"#{ max_size: 4096 }", file(4096, 3)),
            (r"#{ max_size: -1 }", file(0, 3)),
            (r#"#{ driver: "json-file", options: #{ "max-size": "200k", "max-file": "10" } }"#, file(200 << 10, 10)),
            (r#"#{ type: "json-file", config: #{ "max-size": "-1" } }"#, file(0, 3)),
            (r#"#{ Type: "json-file", Config: #{ "max-size": "10MiB", "max-file": "2" } }"#, file(10 << 20, 2)),
            (r#"#{ log_opts: #{ "max-file": "1" }, max_size: "1k" }"#, file(1024, 1)),
        ];
        for (text, expected) in cases {
            let Ok(found) = spec(text) else { panic!("{text} was refused") };
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_done_is_refused() {
        let refused = [
            (r#""syslog""#, ErrorKind::Unsupported),
            (r#""file""#, ErrorKind::Invalid),
            (r"#{ max_file: 0 }", ErrorKind::Invalid),
            (r#"#{ max_file: "many" }"#, ErrorKind::Invalid),
            (r#"#{ max_size: "big" }"#, ErrorKind::Invalid),
            (r#"#{ options: #{ compress: "true" } }"#, ErrorKind::Invalid),
        ];
        for (text, kind) in refused {
            let Err(Refusal::Value(error)) = spec(text) else { panic!("{text} was taken") };
            assert!(error.is(kind), "{text}: {error:?}");
        }
    }
}
