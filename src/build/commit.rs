//! An image from a container: its changes are one more layer, and what it runs with becomes the image's config.

use super::changes::{Change, parse};
use super::config;
use super::state::State;
use crate::archive::{PackOptions, pack_folder};
use crate::container::{self, Hold, Row, changes};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::image;
use crate::model::{BuildStep, CommitSpec, Digest, Reference, Status};
use crate::store::Store;
use serde_json::{Value, json};

/// Makes the image, and gives its id. A running container stands still while its files are read, if `spec.pause`.
///
/// # Errors
/// `invalid` for a wrong name or change, before anything is read; `not_found` when container or image are gone.
pub fn commit(store: &Store, cx: &Context, row: &Row, spec: &CommitSpec) -> Result<Digest> {
    let names: Vec<Reference> = spec.reference.iter().map(|name| name.parse()).collect::<Result<_>>()?;
    let base = image::require(store, &row.image_id)?;
    let content = store.content(&cx.cancel)?;
    let mut state = State::from_image(store, &base)?;
    take_config(&mut state, row)?;
    apply_changes(&mut state, &spec.changes)?;

    let created = jiff::Timestamp::now().to_string();
    let mut history = json!({ "created": created, "created_by": row.plan.argv.join(" ") });
    for (key, value) in [("author", &spec.author), ("comment", &spec.message)] {
        if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
            history[key] = value.as_str().into();
        }
    }
    state.set_creation(&created, spec.author.as_deref());
    let excluded = changes::hidden();
    let ids = row.plan.mapped.as_ref().map(|mapped| &mapped.maps);
    let options = PackOptions { whiteouts: true, excluded: &excluded, ids, ..PackOptions::default() };
    let hold = if spec.pause { hold(store, cx, row)? } else { None };
    let upper = changes::upper(store, row)?;
    let upper = upper.ok_or_else(|| Error::not_found(format!("container `{}` was removed", row.name)))?;
    state.add_new_layer(
        &content,
        history,
        cx,
        |output| pack_folder(&upper, &options, cx, output),
        || {
            hold.map_or(Ok(()), Hold::end)?;
            changes::check_there(store, row)
        },
    )?;
    let id = state.commit(&content, &names)?;
    let id_text = id.to_string();
    let name = spec.reference.clone().unwrap_or_default();
    let attributes = [("comment", spec.message.as_deref().unwrap_or("")), ("imageID", &id_text), ("imageRef", &name)];
    container::events::record_with(store, row, "commit", &attributes);
    Ok(id)
}

/// Lets the container stand still; `None` when it does not run, or stands still anyway.
fn hold(store: &Store, cx: &Context, row: &Row) -> Result<Option<Hold>> {
    let runs = || Ok::<_, Error>(container::info(store, row.clone())?.status == Status::Running);
    if !runs()? {
        return Ok(None);
    }
    match container::hold(store, cx, row) {
        Ok(hold) => Ok(Some(hold)),
        // It has ended, or somebody else has paused it.
        Err(_) if !runs()? => Ok(None),
        Err(error) => Err(error),
    }
}

/// What the container was asked to run with, on top of what its image says.
fn take_config(state: &mut State, row: &Row) -> Result<()> {
    let (spec, plan) = (&row.spec, &row.plan);
    let run_config = state.run_config();
    let mut set = |key: &str, value: Value| drop(run_config.insert(key.to_owned(), value));
    set("Env", plan.env.iter().map(|(name, value)| format!("{name}={value}")).collect());
    if !plan.labels.is_empty() {
        set("Labels", json!(plan.labels));
    }
    if let Some(entrypoint) = &spec.entrypoint {
        set("Entrypoint", json!(entrypoint));
        set("Cmd", json!(spec.cmd.as_deref().unwrap_or_default()));
    } else if let Some(cmd) = &spec.cmd {
        set("Cmd", json!(cmd));
    }
    for (key, value) in [("WorkingDir", &spec.workdir), ("User", &spec.user), ("StopSignal", &spec.stop_signal)] {
        if let Some(value) = value {
            set(key, value.as_str().into());
        }
    }
    let published = spec.ports.iter().map(|port| format!("{}/{}", port.container_port, port.protocol));
    for port in spec.expose.iter().cloned().chain(published) {
        config::apply(state, &BuildStep::Expose(port))?;
    }
    if let Some(check) = &spec.healthcheck {
        config::apply(state, &BuildStep::Healthcheck(check.clone()))?;
    }
    Ok(())
}

/// Takes in lines of a Dockerfile.
pub(super) fn apply_changes(state: &mut State, lines: &[String]) -> Result<()> {
    for line in lines {
        let env = state.run_config().get("Env").cloned().unwrap_or_default();
        let variable = |name: &str| {
            let lines = env.as_array()?.iter().filter_map(Value::as_str);
            lines
                .filter_map(|line| line.split_once('='))
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value.to_owned())
        };
        match parse(line, &variable)? {
            Change::Steps(steps) => steps.iter().try_for_each(|step| config::apply(state, step))?,
            Change::OnBuild(trigger) => state.add_trigger(trigger),
        }
    }
    Ok(())
}
