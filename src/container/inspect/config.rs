//! `Config`: what the program is given.

use crate::container::row::Row;
use crate::image;
use crate::model::Digest;
use crate::runtime::health::HealthPlan;
use crate::store::Store;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The image's config with what was asked for.
pub fn config(store: &Store, row: &Row) -> Value {
    let (plan, spec) = (&row.plan, &row.spec);
    let (entrypoint, cmd) = command(store, row);
    let volumes = volumes(store, row);
    json!({
        "Hostname": plan.hostname,
        "Domainname": spec.domainname.clone().unwrap_or_default(),
        "User": plan.user,
        "AttachStdin": false,
        "AttachStdout": false,
        "AttachStderr": false,
        "ExposedPorts": exposed(row),
        "Tty": spec.tty,
        "OpenStdin": spec.stdin,
        "StdinOnce": false,
        "Env": plan.env.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>(),
        "Cmd": cmd,
        "Image": row.image,
        "Volumes": if volumes.is_empty() { Value::Null } else { json!(volumes) },
        "WorkingDir": plan.workdir,
        "Entrypoint": entrypoint,
        "OnBuild": null,
        "Labels": plan.labels,
        "Healthcheck": plan.health.as_ref().map(healthcheck),
        "StopSignal": plan.stop_signal,
        "StopTimeout": plan.stop_timeout.as_secs(),
    })
}

/// The image's, whatever is mounted there, and those that were asked for without a name.
fn volumes(store: &Store, row: &Row) -> BTreeMap<String, Value> {
    let of_image = || {
        let id: Digest = row.image_id.parse().ok()?;
        image::read_config(store, &id).ok()?.config().as_ref()?.volumes().clone()
    };
    let own = row.spec.mounts.iter().filter(|mount| mount.anonymous).map(|mount| mount.target.display().to_string());
    own.chain(of_image().unwrap_or_default()).map(|target| (target, json!({}))).collect()
}

/// What it runs, as Docker divides it: the entrypoint is the container's, else the image's; the rest is the command.
fn command(store: &Store, row: &Row) -> (Option<Vec<String>>, Option<Vec<String>>) {
    let of_image = || {
        let id: Digest = row.image_id.parse().ok()?;
        image::read_config(store, &id).ok()?.config().as_ref()?.entrypoint().clone()
    };
    let entrypoint = row.spec.entrypoint.clone().or_else(of_image).filter(|words| !words.is_empty());
    let words = entrypoint.as_ref().map_or(0, Vec::len);
    let cmd = row.plan.argv.get(words..).unwrap_or_default();
    (entrypoint, (!cmd.is_empty()).then(|| cmd.to_vec()))
}

fn exposed(row: &Row) -> BTreeMap<String, Value> {
    let published = row.spec.ports.iter().map(|port| format!("{}/{}", port.container_port, port.protocol));
    let exposed =
        row.spec.expose.iter().map(|port| if port.contains('/') { port.clone() } else { format!("{port}/tcp") });
    exposed.chain(published).map(|port| (port, json!({}))).collect()
}

fn healthcheck(plan: &HealthPlan) -> Value {
    let test = match plan.argv.as_slice() {
        [shell, option, line] if shell == "/bin/sh" && option == "-c" => vec!["CMD-SHELL", line],
        argv => std::iter::once("CMD").chain(argv.iter().map(String::as_str)).collect(),
    };
    json!({
        "Test": test,
        "Interval": plan.interval.as_nanos() as u64,
        "Timeout": plan.timeout.as_nanos() as u64,
        "StartPeriod": plan.start_period.as_nanos() as u64,
        "StartInterval": plan.start_interval.as_nanos() as u64,
        "Retries": plan.retries,
    })
}
