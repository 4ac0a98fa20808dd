//! Everything about a container, in the shape of `docker inspect`.

mod config;
mod host_config;
mod network;

use super::row::Row;
use super::{folder, monitor};
use crate::model::{ContainerInfo, LogDriver, MountKind, MountSpec};
use crate::runtime::health::Health;
use crate::runtime::state;
use crate::store::Store;
use serde_json::{Value, json};

/// What Docker writes for a time that has not come.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// The whole record.
pub fn inspect(store: &Store, row: &Row, info: &ContainerInfo) -> Value {
    let plan = &row.plan;
    let run_dir = monitor::run_dir(store, &row.id);
    let file = |name: &str| run_dir.join(name).display().to_string();
    json!({
        "Id": row.id.as_str(),
        "Created": row.created,
        "Path": plan.argv.first(),
        "Args": plan.argv.get(1..).unwrap_or_default(),
        "State": status(store, row, info),
        "Image": row.image_id,
        "ResolvConfPath": file("resolv.conf"),
        "HostnamePath": file("hostname"),
        "HostsPath": file("hosts"),
        "LogPath": match row.spec.log.driver {
            LogDriver::JsonFile => folder::file(store, &row.id, super::logs::FILE_NAME).display().to_string(),
            LogDriver::None => String::new(),
        },
        "Name": format!("/{}", row.name),
        "RestartCount": info.restarts,
        "Driver": "overlay2",
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "",
        "ExecIDs": null,
        "GraphDriver": { "Name": "overlay2", "Data": graph(store, row) },
        "HostConfig": host_config::host_config(store, row, info),
        "Mounts": row.spec.mounts.iter().map(|spec| mount(store, spec)).collect::<Vec<_>>(),
        "Config": config::config(store, row),
        "NetworkSettings": network::network(row, info),
    })
}

fn status(store: &Store, row: &Row, info: &ContainerInfo) -> Value {
    // A file that cannot be understood has been an error of `info` before.
    let state = state::read(&store.container_dir(row.id.as_str())).ok().flatten();
    let error = state.as_ref().and_then(|state| state.error.as_deref()).unwrap_or_default();
    json!({
        "Status": info.status,
        "Running": info.status.is_alive(),
        "Paused": info.status == crate::model::Status::Paused,
        "Restarting": info.status == crate::model::Status::Restarting,
        "OOMKilled": info.oom_killed,
        "Dead": info.status == crate::model::Status::Dead,
        "Pid": info.pid.unwrap_or(0),
        "ExitCode": info.exit_code.unwrap_or(0),
        "Error": error,
        "StartedAt": time(info.started),
        "FinishedAt": time(info.finished),
        "Health": state.as_ref().and_then(|state| state.health.as_ref()).map(health),
    })
}

fn time(time: Option<jiff::Timestamp>) -> String {
    time.map_or_else(|| NEVER.to_owned(), |time| time.to_string())
}

fn health(health: &Health) -> Value {
    let time = |nanoseconds: i64| jiff::Timestamp::from_nanosecond(i128::from(nanoseconds)).unwrap_or_default();
    json!({
        "Status": health.status,
        "FailingStreak": health.failing_streak,
        "Log": health.log.iter().map(|result| json!({
            "Start": time(result.start),
            "End": time(result.end),
            "ExitCode": result.exit_code,
            "Output": result.output,
        })).collect::<Vec<_>>(),
    })
}

/// Where the root file system comes from. It is mounted inside the container only.
fn graph(store: &Store, row: &Row) -> Value {
    let lower: Vec<_> = row.plan.layers.iter().map(|layer| layer.display().to_string()).collect();
    json!({
        "LowerDir": lower.join(":"),
        "MergedDir": folder::file(store, &row.id, folder::MERGED),
        "UpperDir": folder::file(store, &row.id, folder::UPPER),
        "WorkDir": folder::file(store, &row.id, folder::WORK),
    })
}

fn mount(store: &Store, mount: &MountSpec) -> Value {
    if mount.kind == MountKind::Volume {
        let data = store.volume_dir(&mount.source).join("_data");
        return json!({
            "Type": mount.kind,
            "Name": mount.source,
            "Source": mount.subpath.as_ref().map_or(data.clone(), |below| data.join(below)),
            "Destination": mount.target,
            "Driver": "local",
            // A `z` is what Docker says of those with a name and no option; it means nothing without SELinux.
            "Mode": match (mount.read_only, mount.anonymous) {
                (true, _) => "ro",
                (false, true) => "",
                (false, false) => "z",
            },
            "RW": !mount.read_only,
            "Propagation": "",
        });
    }
    json!({
        "Type": mount.kind,
        "Source": mount.source,
        "Destination": mount.target,
        "Mode": if mount.read_only { "ro" } else { "" },
        "RW": !mount.read_only,
        "Propagation": match mount.kind {
            MountKind::Bind => mount.propagation.as_deref().unwrap_or("rprivate"),
            _ => "",
        },
    })
}
