//! The processor time of a container, and the processors that it has.

use super::limits::{controller, limit, set, v1_only};
use super::{Group, Hierarchy};
use crate::error::{Error, ErrorKind, Result};
use oci_spec::runtime::LinuxCpu;

/// Sets what was asked for. 0 means that nothing was, except where it says something.
pub fn apply(group: &Group<'_>, cpu: &LinuxCpu) -> Result<()> {
    apply_realtime(group, cpu)?;
    // An idle group has no shares of its own: the kernel refuses them as long as it is one.
    let idle = cpu.idle();
    if let Some(value @ 0) = idle {
        set_idle(group, value)?;
    }
    if let Some(shares) = cpu.shares().filter(|shares| *shares != 0) {
        let hierarchy = controller(group, "cpu", "cpu_shares")?;
        if hierarchy.is_v2() {
            set(group, hierarchy, "cpu.weight", "cpu_shares", &weight_of_shares(shares).to_string())?;
        } else {
            set(group, hierarchy, "cpu.shares", "cpu_shares", &shares.to_string())?;
        }
    }
    if let Some(value) = idle.filter(|value| *value != 0) {
        set_idle(group, value)?;
    }
    apply_bandwidth(group, cpu)?;
    for (value, file) in [(cpu.cpus(), "cpuset.cpus"), (cpu.mems(), "cpuset.mems")] {
        if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
            let hierarchy = controller(group, "cpuset", "cpuset")?;
            set(group, hierarchy, file, "cpuset", value)?;
        }
    }
    Ok(())
}

fn set_idle(group: &Group<'_>, idle: i64) -> Result<()> {
    if !(0..=1).contains(&idle) {
        return Err(Error::invalid(format!("`cpu.idle` cannot be {idle}")).hint("use 0 or 1"));
    }
    set(group, controller(group, "cpu", "cpu.idle")?, "cpu.idle", "cpu.idle", &idle.to_string())
}

/// Quota, period and burst.
fn apply_bandwidth(group: &Group<'_>, cpu: &LinuxCpu) -> Result<()> {
    let quota = cpu.quota().filter(|quota| *quota != 0);
    let period = cpu.period().filter(|period| *period != 0);
    let quota_and_period = || match (quota, period) {
        (None, None) => Ok(()),
        _ => set_quota(group, controller(group, "cpu", "cpus")?, quota, period),
    };
    let Some(burst) = cpu.burst() else { return quota_and_period() };
    let hierarchy = controller(group, "cpu", "cpu.burst")?;
    let file = if hierarchy.is_v2() { "cpu.max.burst" } else { "cpu.cfs_burst_us" };
    // No more than the quota, at every moment.
    before_or_after(|| set(group, hierarchy, file, "cpu.burst", &burst.to_string()), quota_and_period)
}

fn set_quota(group: &Group<'_>, hierarchy: &Hierarchy, quota: Option<i64>, period: Option<u64>) -> Result<()> {
    let default = 100_000;
    if hierarchy.is_v2() {
        let quota = quota.map_or_else(|| quota_of(group, hierarchy), limit);
        return set(group, hierarchy, "cpu.max", "cpus", &format!("{quota} {}", period.unwrap_or(default)));
    }
    let set_quota = || match quota {
        Some(quota) => set(group, hierarchy, "cpu.cfs_quota_us", "cpus", &quota.to_string()),
        None => Ok(()),
    };
    let period = period.unwrap_or(default).to_string();
    // The parent's share of processors cannot be exceeded, at no moment.
    before_or_after(|| set(group, hierarchy, "cpu.cfs_period_us", "cpus", &period), set_quota)
}

/// The quota that a group of v2 has: it is written together with the period.
fn quota_of(group: &Group<'_>, hierarchy: &Hierarchy) -> String {
    let text = std::fs::read_to_string(hierarchy.dir(group.path).join("cpu.max")).unwrap_or_default();
    text.split_ascii_whitespace().next().unwrap_or("max").to_owned()
}

/// Two values that the kernel checks against each other: what cannot be set before the other is set after it.
fn before_or_after(first: impl Fn() -> Result<()>, other: impl FnOnce() -> Result<()>) -> Result<()> {
    let is_set = first().is_ok();
    other()?;
    if is_set { Ok(()) } else { first() }
}

/// Time of programs with a real-time policy, which cgroup2 does not limit.
fn apply_realtime(group: &Group<'_>, cpu: &LinuxCpu) -> Result<()> {
    let period = cpu.realtime_period().filter(|period| *period != 0).map(|period| period.to_string());
    let runtime = cpu.realtime_runtime().filter(|runtime| *runtime != 0).map(|runtime| runtime.to_string());
    let settings =
        [(period, "cpu.rt_period_us", "cpu.realtimePeriod"), (runtime, "cpu.rt_runtime_us", "cpu.realtimeRuntime")];
    for (value, file, option) in settings {
        let Some(value) = value else { continue };
        let hierarchy = v1_only(group, "cpu", option)?;
        let hint = || format!("give the groups above the container at least as much: `{file}`");
        set(group, hierarchy, file, option, &value)
            .map_err(|error| if error.is(ErrorKind::Unsupported) { error } else { error.hint(hint()) })?;
    }
    Ok(())
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
    use crate::runtime::cgroup::pretend::{Pretend, V1, V2};
    use serde_json::json;

    #[test]
    fn shares_and_weights_agree_at_both_ends_and_the_defaults() {
        for (shares, weight) in [(0, 1), (2, 1), (1024, 100), (262_144, 10_000), (1 << 40, 10_000)] {
            assert_eq!(weight_of_shares(shares), weight, "{shares}");
        }
    }

    #[test]
    fn time_is_written_as_each_version_reads_it() {
        let v1 = |cpu: serde_json::Value| Pretend::new(V1, &["cpu", "cpuset"]).set(&json!({ "cpu": cpu })).unwrap();
        let v2 = |cpu: serde_json::Value| Pretend::new(V2, &["cpu", "cpuset"]).set(&json!({ "cpu": cpu })).unwrap();
        let both = json!({ "quota": 50_000, "period": 200_000, "burst": 10_000 });
        assert_eq!(v1(both.clone()), ["cpu.cfs_burst_us=10000", "cpu.cfs_period_us=200000", "cpu.cfs_quota_us=50000"]);
        assert_eq!(v2(both), ["cpu.max.burst=10000", "cpu.max=50000 200000"]);
        assert_eq!(v1(json!({ "period": 200_000 })), ["cpu.cfs_period_us=200000"]);
        assert_eq!(v2(json!({ "period": 200_000 })), ["cpu.max=max 200000"]);
        assert_eq!(v2(json!({ "quota": -1 })), ["cpu.max=max 100000"]);
        for idle in [0, 1] {
            assert_eq!(v1(json!({ "idle": idle })), [format!("cpu.idle={idle}")]);
            assert_eq!(v2(json!({ "idle": idle })), [format!("cpu.idle={idle}")]);
        }
        assert_eq!(v1(json!({ "cpus": "0", "mems": "0-1" })), ["cpuset.cpus=0", "cpuset.mems=0-1"]);
        let realtime = json!({ "realtimeRuntime": 5000, "realtimePeriod": 10_000 });
        assert_eq!(v1(realtime.clone()), ["cpu.rt_period_us=10000", "cpu.rt_runtime_us=5000"]);
        let error = Pretend::new(V2, &["cpu"]).set(&json!({ "cpu": realtime })).unwrap_err();
        assert!(error.is(ErrorKind::Unsupported) && error.message().contains("`cpu.realtimePeriod`"), "{error:?}");
        let error = Pretend::new(V2, &["cpu"]).set(&json!({ "cpu": { "idle": 2 } })).unwrap_err();
        assert!(error.is(ErrorKind::Invalid), "{error:?}");
    }

    #[test]
    fn a_period_alone_leaves_the_quota_of_v2() {
        let pretend = Pretend::new(V2, &["cpu"]);
        pretend.set(&json!({ "cpu": { "quota": 50_000 } })).unwrap();
        assert_eq!(pretend.set(&json!({ "cpu": { "period": 200_000 } })).unwrap(), ["cpu.max=50000 200000"]);
    }
}
