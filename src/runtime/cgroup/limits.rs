//! The limits of a container, in the words of cgroup v1 and v2.

use super::{Group, Hierarchy};
use crate::error::{Error, ErrorKind, IoContext, Result};
use oci_spec::runtime::{LinuxBlockIo, LinuxCpu, LinuxMemory, LinuxResources};

/// Sets all limits that were asked for. Gives warnings, of those that have no effect here as Docker has it.
pub fn apply(group: &Group<'_>, resources: &LinuxResources) -> Result<Vec<String>> {
    let mut warnings = Vec::new();
    if let Some(memory) = resources.memory() {
        warnings.extend(apply_memory(group, memory)?);
    }
    if let Some(cpu) = resources.cpu() {
        apply_cpu(group, cpu)?;
    }
    if let Some(pids) = resources.pids() {
        let hierarchy = controller(group, "pids", "pids")?;
        set(group, hierarchy, "pids.max", "pids", &limit(pids.limit()))?;
    }
    if let Some(block_io) = resources.block_io() {
        apply_block_io(group, block_io)?;
    }
    if let (Some(unified), Some(hierarchy)) = (resources.unified(), &group.hierarchies.unified) {
        for (file, value) in unified {
            set(group, hierarchy, file, file, value)?;
        }
    }
    Ok(warnings)
}

/// Refuses a limit of memory below what is in use: v1 would refuse it in other words, v2 would kill.
pub fn check_usage(group: &Group<'_>, resources: &LinuxResources) -> Result<()> {
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

fn apply_cpu(group: &Group<'_>, cpu: &LinuxCpu) -> Result<()> {
    if let Some(shares) = cpu.shares().filter(|shares| *shares != 0) {
        let hierarchy = controller(group, "cpu", "cpu_shares")?;
        if hierarchy.is_v2() {
            set(group, hierarchy, "cpu.weight", "cpu_shares", &weight_of_shares(shares).to_string())?;
        } else {
            set(group, hierarchy, "cpu.shares", "cpu_shares", &shares.to_string())?;
        }
    }
    if let Some(quota) = cpu.quota().filter(|quota| *quota != 0) {
        let hierarchy = controller(group, "cpu", "cpus")?;
        let period = cpu.period().unwrap_or(100_000);
        if hierarchy.is_v2() {
            set(group, hierarchy, "cpu.max", "cpus", &format!("{} {period}", limit(quota)))?;
        } else {
            set(group, hierarchy, "cpu.cfs_period_us", "cpus", &period.to_string())?;
            set(group, hierarchy, "cpu.cfs_quota_us", "cpus", &quota.to_string())?;
        }
    }
    for (value, file) in [(cpu.cpus(), "cpuset.cpus"), (cpu.mems(), "cpuset.mems")] {
        if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
            let hierarchy = controller(group, "cpuset", "cpuset")?;
            set(group, hierarchy, file, "cpuset", value)?;
        }
    }
    Ok(())
}

fn apply_block_io(group: &Group<'_>, block_io: &LinuxBlockIo) -> Result<()> {
    let Some(weight) = block_io.weight().filter(|weight| *weight != 0) else { return Ok(()) };
    let Some(hierarchy) = group.hierarchies.of("blkio").or_else(|| group.hierarchies.of("io")) else {
        return Err(missing("blkio", "io_weight"));
    };
    // A file can be there though no disk has the scheduler that looks at it.
    let (bfq, cost) = (any_disk_schedules_by("bfq"), io_cost_is_enabled(hierarchy));
    let files: [(&str, String, bool); 2] = if hierarchy.is_v2() {
        // 10…1000 of the OCI spec into 1…10000, as runc does.
        let scaled = 1 + u64::from(weight).saturating_sub(10) * 9999 / 990;
        [("io.bfq.weight", weight.to_string(), bfq), ("io.weight", format!("default {scaled}"), cost)]
    } else {
        let cfq = any_disk_schedules_by("cfq");
        [("blkio.bfq.weight", weight.to_string(), bfq), ("blkio.weight", weight.to_string(), cfq)]
    };
    let mut has_effect = false;
    for (file, value, used) in files {
        if used && hierarchy.dir(group.path).join(file).exists() {
            set(group, hierarchy, file, "io_weight", &value)?;
            has_effect = true;
        }
    }
    if has_effect {
        return Ok(());
    }
    Err(Error::unsupported("`io_weight` cannot be set: no disk of this machine has a scheduler with weights")
        .hint("leave `io_weight` out, or choose the scheduler: `echo bfq > /sys/block/DISK/queue/scheduler`"))
}

/// Whether a disk of the machine has this scheduler: it stands in brackets.
fn any_disk_schedules_by(name: &str) -> bool {
    let disks = std::fs::read_dir("/sys/block").into_iter().flatten().flatten();
    let schedulers = disks.filter_map(|disk| std::fs::read_to_string(disk.path().join("queue/scheduler")).ok());
    let chosen = format!("[{name}]");
    schedulers.into_iter().any(|schedulers| schedulers.split_ascii_whitespace().any(|it| it == chosen))
}

/// Whether the weights of cgroup2's own controller (`io.cost.qos`, one line a disk) are looked at.
fn io_cost_is_enabled(hierarchy: &Hierarchy) -> bool {
    let disks = std::fs::read_to_string(hierarchy.mount_point.join("io.cost.qos")).unwrap_or_default();
    disks.split_ascii_whitespace().any(|setting| setting == "enable=1")
}

fn controller<'a>(group: &Group<'a>, name: &str, option: &str) -> Result<&'a Hierarchy> {
    group.hierarchies.of(name).ok_or_else(|| missing(name, option))
}

fn missing(controller: &str, option: &str) -> Error {
    Error::unsupported(format!("`{option}` cannot be limited: this machine has no `{controller}` controller"))
        .hint(format!("leave `{option}` out, or mount the `{controller}` control group hierarchy"))
}

fn set(group: &Group<'_>, hierarchy: &Hierarchy, file: &str, option: &str, value: &str) -> Result<()> {
    let path = hierarchy.file(group.path, file, option)?;
    super::try_write(&path, value).doing(|| format!("cannot set `{option}` to `{value}` (`{file}`)"))
}

/// A number as v2 writes it: negative means no limit.
fn limit(value: i64) -> String {
    if value < 0 { "max".to_owned() } else { value.to_string() }
}

fn v1_or_v2(v2: bool, value: i64) -> String {
    if v2 { limit(value) } else { value.to_string() }
}

/// The weight of v2 (1 to 10000, 100 by default) for shares of v1 (2 to 262144, 1024 by default): a curve
/// through the three points that belong together, as runc and crun have it since 2025.
fn weight_of_shares(shares: u64) -> u64 {
    let logarithm = (shares.clamp(2, 262_144) as f64).log2();
    let exponent = (logarithm * logarithm + 125.0 * logarithm) / 612.0 - 7.0 / 34.0;
    (10f64.powf(exponent).ceil() as u64).clamp(1, 10_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_weights_agree_at_both_ends_and_the_defaults() {
        for (shares, weight) in [(0, 1), (2, 1), (1024, 100), (262_144, 10_000), (1 << 40, 10_000)] {
            assert_eq!(weight_of_shares(shares), weight, "{shares}");
        }
    }

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
        ];
        for json in limits {
            let resources: LinuxResources = serde_json::from_str(json).unwrap();
            let error = apply(&group, &resources).unwrap_err();
            assert!(error.is(ErrorKind::Unsupported) && error.hint_text().is_some(), "{json}: {error:?}");
        }
        let none: LinuxResources = serde_json::from_str(r#"{"memory":{},"cpu":{}}"#).unwrap();
        assert!(apply(&group, &none).unwrap().is_empty());
    }
}
