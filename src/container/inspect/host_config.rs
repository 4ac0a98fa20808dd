//! `HostConfig`: how it is kept apart from the host, and what it may use of it.

use super::network;
use crate::container::row::Row;
use crate::model::{
    ContainerInfo, ContainerSpec, LogDriver, LogSpec, MountKind, MountSpec, NamespaceMode, RestartPolicy, UsernsSpec,
    size,
};
use crate::runtime::cgroup::container_path;
use crate::runtime::spec;
use crate::store::Store;
use serde_json::{Map, Value, json};

/// Every key of Docker's, also those that stand for what is not there: programs that read it expect them.
pub fn host_config(store: &Store, row: &Row, info: &ContainerInfo) -> Value {
    let parts = [general(row, info), isolation(&row.spec), resources(store, row), devices(&row.spec)];
    let mut all = Map::new();
    for part in parts {
        if let Value::Object(part) = part {
            all.extend(part);
        }
    }
    Value::Object(all)
}

/// In Docker's words; the defaults are said, too.
fn log_config(log: &LogSpec) -> Value {
    let options = match log.driver {
        LogDriver::None => json!({}),
        LogDriver::JsonFile if log.max_size == 0 => json!({ "max-size": "-1" }),
        LogDriver::JsonFile => {
            json!({ "max-file": log.max_files.to_string(), "max-size": size::format(log.max_size) })
        }
    };
    json!({ "Type": log.driver.name(), "Config": options })
}

fn general(row: &Row, info: &ContainerInfo) -> Value {
    let spec = &row.spec;
    let binds = spec.mounts.iter().filter(|mount| mount.kind != MountKind::Tmpfs && !mount.anonymous);
    // The short form has no place for a sub path.
    let (binds, mounts): (Vec<_>, Vec<_>) = binds.partition(|mount| mount.subpath.is_none());
    let binds: Vec<_> = binds.into_iter().map(bind).collect();
    let mounts: Vec<_> = mounts.into_iter().map(volume_mount).collect();
    let tmpfs = spec.mounts.iter().filter(|mount| mount.kind == MountKind::Tmpfs);
    let tmpfs: Map<_, _> =
        tmpfs.map(|mount| (mount.target.display().to_string(), tmpfs_options(mount).into())).collect();
    let mut general = json!({
        "Binds": some(binds),
        "ContainerIDFile": "",
        "LogConfig": log_config(&spec.log),
        "NetworkMode": spec.networks.first().map_or("bridge", |wanted| wanted.network.as_str()),
        "PortBindings": network::ports(&info.ports),
        "RestartPolicy": restart_policy(&spec.restart),
        "AutoRemove": spec.remove,
        "VolumeDriver": "",
        "VolumesFrom": null,
        "Dns": spec.dns,
        "DnsOptions": [],
        "DnsSearch": spec.dns_search,
        "ExtraHosts": some(spec.extra_hosts.iter().map(|(name, address)| format!("{name}:{address}")).collect()),
        "Links": null,
        "PublishAllPorts": false,
        "ReadonlyRootfs": spec.read_only,
        "ShmSize": spec.shm_size.unwrap_or(64 << 20),
        "Tmpfs": if tmpfs.is_empty() { Value::Null } else { Value::Object(tmpfs) },
        "Runtime": spec.runtime.as_deref().unwrap_or("shanty"),
        "ConsoleSize": [0, 0],
        "Isolation": "",
        "Init": spec.init,
    });
    // Left out where there are none, as Docker does.
    if let (Some(fields), false) = (general.as_object_mut(), mounts.is_empty()) {
        fields.insert("Mounts".to_owned(), mounts.into());
    }
    general
}

fn isolation(spec: &ContainerSpec) -> Value {
    let (masked, read_only) =
        if spec.privileged { (None, None) } else { (Some(spec::masked_paths()), Some(spec::read_only_paths())) };
    json!({
        "CapAdd": some(spec.cap_add.clone()),
        "CapDrop": some(spec.cap_drop.clone()),
        "CgroupnsMode": "private",
        "GroupAdd": some(spec.group_add.clone()),
        "IpcMode": spec.ipc.text(),
        "PidMode": if spec.pid == NamespaceMode::Private { String::new() } else { spec.pid.text() },
        "UTSMode": "",
        "UsernsMode": match &spec.userns {
            UsernsSpec::Host => "",
            UsernsSpec::Auto => "auto",
            UsernsSpec::KeepId => "keep-id",
            UsernsSpec::Maps(_) => "private",
        },
        "Privileged": spec.privileged,
        "SecurityOpt": some(security(spec)),
        "Sysctls": if spec.sysctls.is_empty() { Value::Null } else { json!(spec.sysctls) },
        "OomScoreAdj": spec.oom_score_adj.unwrap_or(0),
        "MaskedPaths": masked,
        "ReadonlyPaths": read_only,
    })
}

fn resources(store: &Store, row: &Row) -> Value {
    let spec = &row.spec;
    let memory = spec.limits.memory.unwrap_or(0);
    // As much swap again as memory, where nothing is said.
    let swap = spec.limits.memory_swap.unwrap_or_else(|| i64::try_from(memory.saturating_mul(2)).unwrap_or(i64::MAX));
    let group = container_path(store.root_id8(), row.id.as_str());
    json!({
        "CpuShares": spec.limits.cpu_shares.unwrap_or(0),
        "Memory": memory,
        "NanoCpus": spec.limits.cpus.map_or(0, |cpus| (cpus * 1e9).round() as i64),
        "Cgroup": "",
        "CgroupParent": group.parent().map(|parent| format!("/{}", parent.display())),
        "CpuPeriod": 0,
        "CpuQuota": 0,
        "CpuRealtimePeriod": 0,
        "CpuRealtimeRuntime": 0,
        "CpusetCpus": spec.limits.cpuset.as_deref().unwrap_or_default(),
        "CpusetMems": "",
        "KernelMemory": 0,
        "KernelMemoryTCP": 0,
        "MemoryReservation": spec.limits.memory_reservation.unwrap_or(0),
        "MemorySwap": swap,
        "MemorySwappiness": null,
        "OomKillDisable": false,
        "PidsLimit": spec.limits.pids,
        "Ulimits": spec.ulimits.iter().map(|limit| json!({
            "Name": limit.name,
            "Soft": limit.soft.cast_signed(),
            "Hard": limit.hard.cast_signed(),
        })).collect::<Vec<_>>(),
        "CpuCount": 0,
        "CpuPercent": 0,
        "IOMaximumIOps": 0,
        "IOMaximumBandwidth": 0,
    })
}

fn devices(spec: &ContainerSpec) -> Value {
    json!({
        "Devices": spec.devices.iter().map(|device| json!({
            "PathOnHost": device.source,
            "PathInContainer": device.target,
            "CgroupPermissions": device.access,
        })).collect::<Vec<_>>(),
        "DeviceCgroupRules": null,
        "DeviceRequests": null,
        "BlkioWeight": spec.limits.io_weight.unwrap_or(0),
        "BlkioWeightDevice": [],
        "BlkioDeviceReadBps": [],
        "BlkioDeviceWriteBps": [],
        "BlkioDeviceReadIOps": [],
        "BlkioDeviceWriteIOps": [],
    })
}

/// Docker writes `null` for a list that nobody has given.
fn some(list: Vec<String>) -> Option<Vec<String>> {
    (!list.is_empty()).then_some(list)
}

fn security(spec: &ContainerSpec) -> Vec<String> {
    let no_new = spec.no_new_privileges.then(|| "no-new-privileges".to_owned());
    no_new.into_iter().chain(spec.seccomp.iter().map(|profile| format!("seccomp={profile}"))).collect()
}

fn volume_mount(mount: &MountSpec) -> Value {
    json!({
        "Type": "volume",
        "Source": mount.source,
        "Target": mount.target,
        "ReadOnly": mount.read_only,
        "VolumeOptions": { "NoCopy": mount.nocopy, "Subpath": mount.subpath },
    })
}

fn bind(mount: &MountSpec) -> String {
    let options = [
        mount.nocopy.then_some("nocopy"),
        mount.read_only.then_some("ro"),
        mount.idmap.then_some("idmap"),
        mount.propagation.as_deref(),
    ];
    let options: Vec<_> = options.into_iter().flatten().collect();
    let paths = format!("{}:{}", mount.source, mount.target.display());
    if options.is_empty() { paths } else { format!("{paths}:{}", options.join(",")) }
}

fn tmpfs_options(mount: &MountSpec) -> String {
    let options = [
        mount.read_only.then(|| "ro".to_owned()),
        mount.size.map(|size| format!("size={size}")),
        mount.mode.map(|mode| format!("mode={mode:o}")),
    ];
    options.into_iter().flatten().collect::<Vec<_>>().join(",")
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
