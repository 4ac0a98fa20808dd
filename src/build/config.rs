//! Steps that change how a container is run, not its files.

use super::state::State;
use crate::error::{Error, Result};
use crate::model::{BuildStep, HealthcheckSpec, parse_expose};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// Applies a step of the config.
pub fn apply(state: &mut State, step: &BuildStep) -> Result<()> {
    match step {
        BuildStep::Env(name, value) => {
            let env = state.run_config().entry("Env").or_insert_with(|| json!([]));
            let list = env.as_array_mut().ok_or_else(|| Error::corrupt("the base image's `Env` is no list"))?;
            let (prefix, line) = (format!("{name}="), format!("{name}={value}"));
            let is_it = |line: &Value| line.as_str().is_some_and(|line| line.starts_with(&prefix));
            // In its place, as Docker does.
            match list.iter_mut().find(|line| is_it(line)) {
                Some(known) => *known = line.into(),
                None => list.push(line.into()),
            }
        }
        BuildStep::Workdir(path) => {
            let current = state.run_config().get("WorkingDir").and_then(Value::as_str).unwrap_or("/").to_owned();
            set(state, "WorkingDir", join(&current, path));
        }
        BuildStep::User(user) => set(state, "User", user.as_str()),
        BuildStep::Expose(port) => {
            for (port, protocol) in parse_expose(port)? {
                add(state, "ExposedPorts", format!("{port}/{protocol}"), json!({}))?;
            }
        }
        BuildStep::Volume(path) => add(state, "Volumes", path.clone(), json!({}))?,
        BuildStep::Label(name, value) => label(state, name, value)?,
        BuildStep::Labels(labels) => {
            for (name, value) in labels {
                label(state, name, value)?;
            }
        }
        BuildStep::Cmd(argv) => {
            state.cmd_is_set = true;
            set(state, "Cmd", json!(argv));
        }
        BuildStep::Entrypoint(argv) => {
            set(state, "Entrypoint", json!(argv));
            // The base's arguments were meant for its own program (Dockerfile reference, "ENTRYPOINT").
            if !state.cmd_is_set {
                state.run_config().remove("Cmd");
            }
        }
        BuildStep::Healthcheck(check) => set(state, "Healthcheck", healthcheck(check)),
        BuildStep::StopSignal(signal) => set(state, "StopSignal", signal.as_str()),
        BuildStep::Shell(shell) => set(state, "Shell", json!(shell)),
        BuildStep::Author(name) => state.set_author(name),
        BuildStep::OnBuild(line) => state.add_trigger(line.clone()),
        BuildStep::Copy { .. }
        | BuildStep::Write { .. }
        | BuildStep::HostProgram { .. }
        | BuildStep::LayerFromTar { .. }
        | BuildStep::Run { .. } => return Err(Error::invalid("this step changes files")),
    }
    Ok(())
}

/// Sets a label.
pub fn label(state: &mut State, name: &str, value: &str) -> Result<()> {
    add(state, "Labels", name.to_owned(), value.into())
}

fn set(state: &mut State, key: &str, value: impl Into<Value>) {
    state.run_config().insert(key.to_owned(), value.into());
}

/// Adds to a map of the config. Docker writes `null` for an empty one.
fn add(state: &mut State, key: &str, name: String, value: Value) -> Result<()> {
    let map = state.run_config().entry(key).or_insert(Value::Null);
    if map.is_null() {
        *map = Value::Object(Map::new());
    }
    let map = map.as_object_mut().ok_or_else(|| Error::corrupt(format!("the base image's `{key}` is no map")))?;
    map.insert(name, value);
    Ok(())
}

/// Docker's extension of the config: times in nanoseconds, what is not set left out.
fn healthcheck(check: &HealthcheckSpec) -> Value {
    let mut value = json!({ "Test": check.test });
    let times: [(&str, Option<Duration>); 4] = [
        ("Interval", check.interval),
        ("Timeout", check.timeout),
        ("StartPeriod", check.start_period),
        ("StartInterval", check.start_interval),
    ];
    for (key, time) in times {
        if let Some(time) = time {
            value[key] = (time.as_nanos() as u64).into();
        }
    }
    if let Some(retries) = check.retries {
        value["Retries"] = retries.into();
    }
    value
}

fn join(current: &str, path: &str) -> String {
    if path.starts_with('/') {
        return path.to_owned();
    }
    format!("{}/{path}", current.trim_end_matches('/'))
}
