//! The limits of a container, in the words of cgroup v1 and v2.

use super::{Group, Hierarchy, block_io, processor, rare_limits};
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::privilege::Privilege;
use oci_spec::runtime::{LinuxMemory, LinuxResources};

/// Sets all limits that were asked for. Gives warnings, of those that have no effect here as Docker has it.
pub fn apply(group: &Group<'_>, resources: &LinuxResources) -> Result<Vec<String>> {
    let mut warnings = Vec::new();
    if let Some(memory) = resources.memory() {
        warnings.extend(apply_memory(group, memory)?);
        warnings.extend(apply_rest_of_memory(group, memory)?);
    }
    if let Some(cpu) = resources.cpu() {
        processor::apply(group, cpu)?;
    }
    if let Some(pids) = resources.pids() {
        let hierarchy = controller(group, "pids", "pids")?;
        set(group, hierarchy, "pids.max", "pids", &limit(pids.limit()))?;
    }
    if let Some(block_io) = resources.block_io() {
        block_io::apply(group, block_io)?;
    }
    rare_limits::apply(group, resources)?;
    Ok(warnings)
}

/// Refuses a limit of memory below what is in use: v1 would refuse it in other words, v2 would kill.
pub fn check_usage(group: &Group<'_>, resources: &LinuxResources) -> Result<()> {
    if resources.memory().as_ref().and_then(LinuxMemory::check_before_update) == Some(false) {
        return Ok(());
    }
    let limit = resources.memory().as_ref().and_then(LinuxMemory::limit).and_then(|limit| u64::try_from(limit).ok());
    let (Some(limit), Some(hierarchy)) = (limit, group.hierarchies.of("memory")) else { return Ok(()) };
    let (usage, cache) = if hierarchy.is_v2() {
        ("memory.current", ["inactive_file", "active_file"])
    } else {
        ("memory.usage_in_bytes", ["total_inactive_file", "total_active_file"])
    };
    let dir = hierarchy.dir(group.path);
    let read = |file: &str| std::fs::read_to_string(dir.join(file)).unwrap_or_default();
    let usage = read(usage).trim().parse::<u64>().unwrap_or(0);
    let stat = read("memory.stat");
    let of =
        |name: &str| stat.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok()).unwrap_or(0);
    // What is cached of files can be given back.
    let needed = usage.saturating_sub(cache.into_iter().map(of).sum());
    if needed <= limit {
        return Ok(());
    }
    Err(Error::conflict(format!("`memory` cannot be limited to {limit} bytes: the container uses {needed}"))
        .hint("let it free memory first, or choose a larger limit"))
}

fn apply_memory(group: &Group<'_>, memory: &LinuxMemory) -> Result<Option<String>> {
    if memory.limit().is_none() && memory.swap().is_none() && memory.reservation().is_none() {
        return Ok(None);
    }
    let hierarchy = controller(group, "memory", "memory")?;
    let v2 = hierarchy.is_v2();
    let limit = || match memory.limit() {
        Some(bytes) => {
            let file = if v2 { "memory.max" } else { "memory.limit_in_bytes" };
            set(group, hierarchy, file, "memory", &v1_or_v2(v2, bytes))
        }
        None => Ok(()),
    };
    let swap = || set_swap_of(group, hierarchy, memory);
    // v1 wants the limit of both to be no less than that of memory, at every moment.
    let warning = if !v2 && raises_both(group, hierarchy, memory) {
        let warning = swap()?;
        limit()?;
        warning
    } else {
        limit()?;
        swap()?
    };
    if let Some(bytes) = memory.reservation() {
        let file = if v2 { "memory.low" } else { "memory.soft_limit_in_bytes" };
        // Without a reservation nothing is kept on v2, and there is no soft limit on v1.
        let value = if v2 { bytes.max(0) } else { bytes };
        set(group, hierarchy, file, "memory_reservation", &value.to_string())?;
    }
    Ok(warning)
}

/// Limits swap as asked for, or as Docker: as much swap as memory, where the kernel counts it.
fn set_swap_of(group: &Group<'_>, hierarchy: &Hierarchy, memory: &LinuxMemory) -> Result<Option<String>> {
    let limit = memory.limit().unwrap_or(0);
    let both = match memory.swap() {
        Some(both) => both,
        None if limit > 0 => limit.saturating_mul(2),
        None => return Ok(None),
    };
    match set_swap(group, hierarchy, both, limit) {
        Err(error) if error.is(ErrorKind::Unsupported) => {
            Ok(memory.swap().map(|_| "`memory_swap` has no effect: this kernel does not count swap".to_owned()))
        }
        result => result.map(|()| None),
    }
}

/// Whether the limit of memory and swap together is to be more than it is now.
fn raises_both(group: &Group<'_>, hierarchy: &Hierarchy, memory: &LinuxMemory) -> bool {
    let path = hierarchy.dir(group.path).join("memory.memsw.limit_in_bytes");
    let now = std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse::<u64>().ok());
    let both = memory.swap().or_else(|| memory.limit().map(|limit| limit.saturating_mul(2)));
    // -1: no limit, which is more than any.
    matches!((now, both), (Some(now), Some(both)) if u64::try_from(both).unwrap_or(u64::MAX) > now)
}

fn set_swap(group: &Group<'_>, hierarchy: &Hierarchy, both: i64, memory: i64) -> Result<()> {
    if hierarchy.is_v2() {
        // v2 counts swap alone, the OCI spec memory and swap together.
        let swap = if both < 0 { both } else { (both - memory).max(0) };
        set(group, hierarchy, "memory.swap.max", "memory_swap", &limit(swap))
    } else {
        set(group, hierarchy, "memory.memsw.limit_in_bytes", "memory_swap", &both.to_string())
    }
}

/// What of memory is seldom set. Gives warnings, of what runc ignores as well.
fn apply_rest_of_memory(group: &Group<'_>, memory: &LinuxMemory) -> Result<Vec<String>> {
    let mut warnings = Vec::new();
    // -1 as an unsigned number: as it is.
    if let Some(swappiness) = memory.swappiness().filter(|swappiness| *swappiness != u64::MAX) {
        if swappiness > 100 {
            return Err(Error::invalid(format!("`memory.swappiness` cannot be {swappiness}")).hint("use 0 to 100"));
        }
        let hierarchy = v1_only(group, "memory", "memory.swappiness")?;
        set(group, hierarchy, "memory.swappiness", "memory.swappiness", &swappiness.to_string())?;
    }
    match memory.disable_oom_killer() {
        Some(true) => {
            let hierarchy = v1_only(group, "memory", "memory.disableOOMKiller")?;
            set(group, hierarchy, "memory.oom_control", "memory.disableOOMKiller", "1")?;
        }
        Some(false) => enable_oom_killer(group)?,
        None => {}
    }
    // Deprecated by the specification: there is no other way to ask for it.
    #[allow(deprecated)]
    if memory.kernel().is_some_and(|bytes| bytes > 0) {
        warnings.push("`memory.kernel` has no effect: Linux counts what the kernel uses as memory".to_owned());
    }
    if let Some(bytes) = memory.kernel_tcp().filter(|bytes| *bytes > 0) {
        let file = "memory.kmem.tcp.limit_in_bytes";
        match group.hierarchies.of("memory").filter(|hierarchy| hierarchy.dir(group.path).join(file).exists()) {
            Some(hierarchy) => set(group, hierarchy, file, "memory.kernelTCP", &bytes.to_string())?,
            None => warnings.push("`memory.kernelTCP` has no effect: this kernel does not limit it".to_owned()),
        }
    }
    if memory.use_hierarchy() == Some(false) {
        warnings.push("`memory.useHierarchy` has no effect: Linux counts groups below as part of their parents".into());
    }
    Ok(warnings)
}

/// Where it is enabled, as everywhere without anybody's doing, there is nothing to do.
fn enable_oom_killer(group: &Group<'_>) -> Result<()> {
    let Some(hierarchy) = group.hierarchies.of("memory").filter(|hierarchy| !hierarchy.is_v2()) else { return Ok(()) };
    let text = std::fs::read_to_string(hierarchy.dir(group.path).join("memory.oom_control")).unwrap_or_default();
    if !text.lines().any(|line| line == "oom_kill_disable 1") {
        return Ok(());
    }
    set(group, hierarchy, "memory.oom_control", "memory.disableOOMKiller", "0")
}

/// The hierarchy of a controller for what cgroup2 has no word for.
pub(super) fn v1_only<'a>(group: &Group<'a>, name: &str, option: &str) -> Result<&'a Hierarchy> {
    let hierarchy = controller(group, name, option)?;
    if hierarchy.is_v2() {
        return Err(Error::unsupported(format!(
            "`{option}` cannot be set: control groups of version 2 do not have it"
        ))
        .hint(format!("leave `{option}` out")));
    }
    Ok(hierarchy)
}

pub(super) fn controller<'a>(group: &Group<'a>, name: &str, option: &str) -> Result<&'a Hierarchy> {
    group.hierarchies.of(name).ok_or_else(|| missing(name, option, group.hierarchies.absent.as_deref()))
}

/// `why`: what keeps an ordinary user from having one.
pub(super) fn missing(controller: &str, option: &str, why: Option<&str>) -> Error {
    if Privilege::current().is_rootless() {
        let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
        return Error::unsupported(format!(
            "`{option}` cannot be limited: no control group with the `{controller}` controller is yours{why}"
        ))
        .hint(format!("leave `{option}` out, or see what `shanty doctor` says of control groups"));
    }
    Error::unsupported(format!("`{option}` cannot be limited: this machine has no `{controller}` controller"))
        .hint(format!("leave `{option}` out, or mount the `{controller}` control group hierarchy"))
}

pub(super) fn set(group: &Group<'_>, hierarchy: &Hierarchy, file: &str, option: &str, value: &str) -> Result<()> {
    let path = hierarchy.file(group.path, file, option)?;
    super::try_write(&path, value).doing(|| format!("cannot set `{option}` to `{value}` (`{file}`)"))
}

/// A number as v2 writes it: negative means no limit.
pub(super) fn limit(value: i64) -> String {
    if value < 0 { "max".to_owned() } else { value.to_string() }
}

fn v1_or_v2(v2: bool, value: i64) -> String {
    if v2 { limit(value) } else { value.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::cgroup::pretend::{Pretend, V1, V2};
    use serde_json::json;

    #[test]
    fn a_limit_without_its_controller_is_unsupported() {
        let hierarchies = crate::runtime::cgroup::Hierarchies::default();
        let group = Group { hierarchies: &hierarchies, path: std::path::Path::new("shanty/x/y") };
        let limits = [
            r#"{"memory":{"limit":1048576}}"#,
            r#"{"cpu":{"quota":1000}}"#,
            r#"{"cpu":{"cpus":"0"}}"#,
            r#"{"pids":{"limit":5}}"#,
            r#"{"blockIO":{"weight":100}}"#,
            r#"{"blockIO":{"leafWeight":100}}"#,
            r#"{"blockIO":{"weightDevice":[{"major":8,"minor":0,"weight":100}]}}"#,
            r#"{"blockIO":{"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":1}]}}"#,
            r#"{"memory":{"swappiness":10}}"#,
            r#"{"memory":{"disableOOMKiller":true}}"#,
            r#"{"cpu":{"idle":1}}"#,
            r#"{"cpu":{"burst":1}}"#,
            r#"{"cpu":{"period":1000}}"#,
            r#"{"cpu":{"realtimeRuntime":1000}}"#,
            r#"{"hugepageLimits":[{"pageSize":"2MB","limit":0}]}"#,
            r#"{"rdma":{"mlx5_0":{"hcaHandles":1}}}"#,
            r#"{"network":{"classID":1}}"#,
            r#"{"network":{"priorities":[{"name":"lo","priority":1}]}}"#,
            r#"{"unified":{"memory.high":"1000000"}}"#,
        ];
        for json in limits {
            let resources: LinuxResources = serde_json::from_str(json).unwrap();
            let error = apply(&group, &resources).expect_err(json);
            assert!(error.is(ErrorKind::Unsupported) && error.hint_text().is_some(), "{json}: {error:?}");
        }
        let nothing = r#"{"memory":{"disableOOMKiller":false,"useHierarchy":true},"cpu":{"quota":0,"realtimePeriod":0},
            "blockIO":{"weight":0,"leafWeight":0},"hugepageLimits":[],"rdma":{},"network":{"classID":0,"priorities":[]},
            "unified":{}}"#;
        let nothing: LinuxResources = serde_json::from_str(nothing).unwrap();
        assert!(apply(&group, &nothing).unwrap().is_empty());
    }

    #[test]
    fn what_is_rare_of_memory_is_set_or_told() {
        let v1 = |memory: serde_json::Value| Pretend::new(V1, &["memory"]).set(&json!({ "memory": memory }));
        let v2 = |memory: serde_json::Value| Pretend::new(V2, &["memory"]).set(&json!({ "memory": memory }));
        assert_eq!(v1(json!({ "swappiness": 0 })).unwrap(), ["memory.swappiness=0"]);
        assert!(v1(json!({ "swappiness": 101 })).unwrap_err().is(ErrorKind::Invalid));
        assert_eq!(v1(json!({ "disableOOMKiller": true })).unwrap(), ["memory.oom_control=1"]);
        assert_eq!(v1(json!({ "kernelTCP": 4096 })).unwrap(), ["memory.kmem.tcp.limit_in_bytes=4096"]);
        assert!(v1(json!({ "disableOOMKiller": false, "useHierarchy": true })).unwrap().is_empty());
        for memory in [json!({ "swappiness": 50 }), json!({ "disableOOMKiller": true })] {
            let error = v2(memory).unwrap_err();
            assert!(error.is(ErrorKind::Unsupported) && error.message().contains("version 2"), "{error:?}");
        }
        for (version, memory, option) in [
            (V1, json!({ "kernel": 4096 }), "`memory.kernel`"),
            (V2, json!({ "kernel": 4096 }), "`memory.kernel`"),
            (V2, json!({ "kernelTCP": 4096 }), "`memory.kernelTCP`"),
            (V1, json!({ "useHierarchy": false }), "`memory.useHierarchy`"),
        ] {
            let warnings = Pretend::new(version, &["memory"]).warnings(&json!({ "memory": memory })).unwrap();
            assert!(warnings.len() == 1 && warnings[0].starts_with(option), "{option}: {warnings:?}");
        }
    }

    #[test]
    fn the_oom_killer_is_enabled_again() {
        let v1 = Pretend::new(V1, &["memory"]);
        v1.has("memory.oom_control", "oom_kill_disable 1\nunder_oom 0\n");
        let written = v1.set(&json!({ "memory": { "disableOOMKiller": false } })).unwrap();
        // A file of the kernel's is written as a whole, this one over its beginning.
        assert!(written[0].starts_with("memory.oom_control=0om_kill"), "{written:?}");
    }
}
