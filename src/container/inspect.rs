//! Everything about a container, in the shape of `docker inspect`.

use super::row::Row;
use super::{folder, monitor};
use crate::model::{ContainerInfo, ContainerSpec, NamespaceMode, PublishedPort, RestartPolicy, UsernsSpec};
use crate::runtime::health::{Health, HealthPlan};
use crate::runtime::network::NetworkPlan;
use crate::runtime::state;
use crate::store::Store;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What Docker writes for a time that has not come.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// The whole record.
pub fn inspect(store: &Store, row: &Row, info: &ContainerInfo) -> Value {
    // A file that cannot be understood has been an error of `info` before.
    let state = state::read(&store.container_dir(row.id.as_str())).ok().flatten();
    let error = state.as_ref().and_then(|state| state.error.as_deref()).unwrap_or_default();
    let (plan, spec) = (&row.plan, &row.spec);
    let run_dir = monitor::run_dir(store, &row.id);
    let file = |name: &str| run_dir.join(name).display().to_string();
    json!({
        "Id": row.id.as_str(),
        "Created": row.created,
        "Path": plan.argv.first(),
        "Args": plan.argv.get(1..).unwrap_or_default(),
        "State": {
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
        },
        "Image": row.image_id,
        "ResolvConfPath": file("resolv.conf"),
        "HostnamePath": file("hostname"),
        "HostsPath": file("hosts"),
        "LogPath": folder::file(store, &row.id, super::logs::FILE_NAME),
        "Name": format!("/{}", row.name),
        "RestartCount": info.restarts,
        "Driver": "overlay2",
        "Platform": "linux",
        "HostConfig": host_config(row, info),
        "Mounts": spec.mounts.iter().map(|mount| json!({
            "Type": mount.kind,
            "Source": mount.source,
            "Destination": mount.target,
            "RW": !mount.read_only,
        })).collect::<Vec<_>>(),
        "Config": config(row),
        "NetworkSettings": network(&plan.network, info),
    })
}

/// What it was made with.
fn host_config(row: &Row, info: &ContainerInfo) -> Value {
    let spec = &row.spec;
    json!({
        "AutoRemove": spec.remove,
        "CapAdd": spec.cap_add,
        "CapDrop": spec.cap_drop,
        "CpuShares": spec.cpu_shares.unwrap_or(0),
        "CpusetCpus": spec.cpuset.clone().unwrap_or_default(),
        "Devices": spec.devices.iter().map(|device| json!({
            "PathOnHost": device.source,
            "PathInContainer": device.target,
            "CgroupPermissions": device.access,
        })).collect::<Vec<_>>(),
        "Dns": spec.dns,
        "DnsSearch": spec.dns_search,
        "ExtraHosts": spec.extra_hosts.iter().map(|(name, address)| format!("{name}:{address}")).collect::<Vec<_>>(),
        "GroupAdd": spec.group_add,
        "Init": spec.init,
        "IpcMode": spec.ipc.text(),
        "Memory": spec.memory.unwrap_or(0),
        "MemoryReservation": spec.memory_reservation.unwrap_or(0),
        "MemorySwap": spec.memory_swap.unwrap_or(0),
        "NanoCpus": spec.cpus.map_or(0, |cpus| (cpus * 1e9) as i64),
        "NetworkMode": spec.networks.first().map_or("bridge", String::as_str),
        "OomScoreAdj": spec.oom_score_adj.unwrap_or(0),
        "PidMode": if spec.pid == NamespaceMode::Private { String::new() } else { spec.pid.text() },
        "PidsLimit": spec.pids,
        "PortBindings": ports(&info.ports),
        "Privileged": spec.privileged,
        "ReadonlyRootfs": spec.read_only,
        "RestartPolicy": restart_policy(&spec.restart),
        "ShmSize": spec.shm_size.unwrap_or(64 << 20),
        "SecurityOpt": security(spec),
        "Sysctls": spec.sysctls,
        "Ulimits": spec.ulimits.iter().map(|limit| json!({
            "Name": limit.name,
            "Soft": limit.soft.cast_signed(),
            "Hard": limit.hard.cast_signed(),
        })).collect::<Vec<_>>(),
        "UsernsMode": match &spec.userns {
            UsernsSpec::Host => "",
            UsernsSpec::Auto => "auto",
            UsernsSpec::Maps { .. } => "private",
        },
    })
}

/// What runs, and as whom.
fn config(row: &Row) -> Value {
    let (plan, spec) = (&row.plan, &row.spec);
    json!({
        "Hostname": plan.hostname,
        "Domainname": spec.domainname.clone().unwrap_or_default(),
        "User": plan.user,
        "Tty": spec.tty,
        "OpenStdin": spec.stdin,
        "ExposedPorts": exposed(row),
        "Env": plan.env.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>(),
        "Cmd": plan.argv,
        "Image": row.image,
        "WorkingDir": plan.workdir,
        "Labels": plan.labels,
        "Healthcheck": plan.health.as_ref().map(healthcheck),
        "StopSignal": plan.stop_signal,
        "StopTimeout": plan.stop_timeout.as_secs(),
    })
}

fn security(spec: &ContainerSpec) -> Vec<String> {
    let no_new = spec.no_new_privileges.then(|| "no-new-privileges".to_owned());
    no_new.into_iter().chain(spec.seccomp.iter().map(|profile| format!("seccomp={profile}"))).collect()
}

/// What is said to be listened on, with what is published.
fn exposed(row: &Row) -> BTreeMap<String, Value> {
    let published = row.spec.ports.iter().map(|port| format!("{}/{}", port.container_port, port.protocol));
    row.spec.expose.iter().cloned().chain(published).map(|port| (port, json!({}))).collect()
}

fn time(time: Option<jiff::Timestamp>) -> String {
    time.map_or_else(|| NEVER.to_owned(), |time| time.to_string())
}

fn restart_policy(policy: &RestartPolicy) -> Value {
    let (name, count) = match policy {
        RestartPolicy::No => ("no", 0),
        RestartPolicy::OnFailure(count) => ("on-failure", *count),
        RestartPolicy::Always => ("always", 0),
        RestartPolicy::UnlessStopped => ("unless-stopped", 0),
    };
    json!({ "Name": name, "MaximumRetryCount": count })
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

fn healthcheck(plan: &HealthPlan) -> Value {
    let test: Vec<&str> = std::iter::once("CMD").chain(plan.argv.iter().map(String::as_str)).collect();
    json!({
        "Test": test,
        "Interval": plan.interval.as_nanos() as u64,
        "Timeout": plan.timeout.as_nanos() as u64,
        "StartPeriod": plan.start_period.as_nanos() as u64,
        "StartInterval": plan.start_interval.as_nanos() as u64,
        "Retries": plan.retries,
    })
}

fn ports(published: &[PublishedPort]) -> BTreeMap<String, Vec<Value>> {
    let mut ports: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for port in published {
        let binding = json!({ "HostIp": port.host_ip, "HostPort": port.host_port.to_string() });
        ports.entry(format!("{}/{}", port.container_port, port.protocol)).or_default().push(binding);
    }
    ports
}

fn network(plan: &NetworkPlan, info: &ContainerInfo) -> Value {
    let NetworkPlan::Bridge(bridge) = plan else {
        return json!({ "Ports": {}, "Networks": {} });
    };
    let address = info.ip.map(|ip| ip.to_string()).unwrap_or_default();
    json!({
        "Ports": ports(&info.ports),
        "IPAddress": address,
        "IPPrefixLen": bridge.prefix,
        "Gateway": bridge.gateway,
        "Networks": { "bridge": { "IPAddress": address, "IPPrefixLen": bridge.prefix, "Gateway": bridge.gateway } },
    })
}
