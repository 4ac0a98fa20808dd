//! The limits that a bundle asks for, as the kernel has them; what cannot be is refused or told.

use super::bundle::Bundle;
use crate::support::require;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// Where a controller's files of the container are; `None`: this machine has none of this version.
fn v1(bundle: &Bundle, controller: &str) -> Option<PathBuf> {
    Path::new("/sys/fs/cgroup").join(controller).is_dir().then(|| bundle.cgroup(controller))
}

fn v2(bundle: &Bundle, controller: &str) -> Option<PathBuf> {
    let dir = bundle.cgroup("unified");
    let root = dir.parent()?.parent()?;
    let controllers = fs::read_to_string(root.join("cgroup.controllers")).ok()?;
    controllers.split_ascii_whitespace().any(|name| name == controller).then_some(dir)
}

/// Looks whether a file has a line.
#[track_caller]
fn has(dir: &Path, file: &str, expected: &str) {
    let text = fs::read_to_string(dir.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    assert!(text.lines().any(|line| line == expected), "{file}: expected {expected:?}, found {text:?}");
}

/// Any disk, and what it is called.
fn disk() -> Option<(Value, String)> {
    let entry = fs::read_dir("/sys/block").ok()?.flatten().next()?;
    let number = fs::read_to_string(entry.path().join("dev")).ok()?.trim().to_owned();
    let (major, minor) = number.split_once(':')?;
    Some((json!({ "major": major.parse::<i64>().ok()?, "minor": minor.parse::<i64>().ok()? }), number))
}

fn throttle(disk: &Value, rate: u64) -> Value {
    let mut device = disk.clone();
    device["rate"] = json!(rate);
    json!([device])
}

#[test]
fn the_processor_is_limited_in_every_way() {
    let bundle = require!(Bundle::new(&["sleep", "1000"]));
    bundle.change(|spec| {
        spec["linux"]["resources"]["cpu"] = json!({ "quota": 50_000, "period": 200_000, "burst": 20_000, "idle": 1 });
    });
    bundle.create("c1", &[]);
    let check = |quota: i64, period: u64, burst: u64, idle: u8| {
        let idle = idle.to_string();
        match (v1(&bundle, "cpu"), v2(&bundle, "cpu")) {
            (Some(dir), _) => {
                has(&dir, "cpu.cfs_quota_us", &quota.to_string());
                has(&dir, "cpu.cfs_period_us", &period.to_string());
                has(&dir, "cpu.cfs_burst_us", &burst.to_string());
                has(&dir, "cpu.idle", &idle);
            }
            (None, Some(dir)) => {
                has(&dir, "cpu.max", &format!("{quota} {period}"));
                has(&dir, "cpu.max.burst", &burst.to_string());
                has(&dir, "cpu.idle", &idle);
            }
            (None, None) => panic!("no controller, and no error"),
        }
    };
    check(50_000, 200_000, 20_000, 1);
    // The new quota is below the burst as it was, and the new burst above the quota as it was.
    bundle.ok(&["update", "--cpu-quota", "10000", "--cpu-burst", "5000", "--cpu-idle", "0", "c1"]);
    check(10_000, 100_000, 5000, 0);
    bundle.ok(&["update", "--cpu-quota", "80000", "--cpu-burst", "60000", "c1"]);
    check(80_000, 100_000, 60_000, 0);
    bundle.ok(&["update", "--cpu-period", "400000", "c1"]);
    check(80_000, 400_000, 60_000, 0);
    bundle.fails(&["update", "--cpu-idle", "2", "c1"], "`cpu.idle` cannot be 2");
}

#[test]
fn real_time_is_limited_where_the_groups_above_have_some() {
    let bundle = require!(Bundle::new(&["sleep", "1000"]));
    bundle.change(|spec| {
        spec["linux"]["resources"]["cpu"] = json!({ "realtimeRuntime": 1000, "realtimePeriod": 500_000 });
    });
    let cpu = Path::new("/sys/fs/cgroup/cpu");
    if !cpu.join("cpu.rt_runtime_us").exists() {
        return bundle.fails(&["create", "c1"], "`cpu.realtimePeriod` cannot be set");
    }
    // Below our own parent, which has none.
    bundle.fails(&["create", "c1"], "cannot set `cpu.realtimeRuntime`");
    let name = bundle.path().file_name().unwrap().to_str().unwrap();
    bundle.change(|spec| spec["linux"]["cgroupsPath"] = json!(format!("/{name}")));
    bundle.create("c1", &[]);
    has(&cpu.join(name), "cpu.rt_runtime_us", "1000");
    has(&cpu.join(name), "cpu.rt_period_us", "500000");
    bundle.ok(&["delete", "--force", "c1"]);
    assert!(!cpu.join(name).exists());
}

#[test]
fn disks_are_throttled() {
    let bundle = require!(Bundle::new(&["sleep", "1000"]));
    let Some((disk, number)) = disk() else {
        return crate::support::note_skip(&crate::support::fixtures::Missing("a disk".into()));
    };
    bundle.change(|spec| {
        spec["linux"]["resources"]["blockIO"] = json!({
            "weight": 0, "leafWeight": 0, "weightDevice": [],
            "throttleReadBpsDevice": throttle(&disk, 1_048_576), "throttleWriteBpsDevice": throttle(&disk, 2_097_152),
            "throttleReadIOPSDevice": throttle(&disk, 100), "throttleWriteIOPSDevice": throttle(&disk, 200),
        });
    });
    bundle.create("c1", &[]);
    match (v1(&bundle, "blkio"), v2(&bundle, "io")) {
        (Some(dir), _) => {
            has(&dir, "blkio.throttle.read_bps_device", &format!("{number} 1048576"));
            has(&dir, "blkio.throttle.write_bps_device", &format!("{number} 2097152"));
            has(&dir, "blkio.throttle.read_iops_device", &format!("{number} 100"));
            has(&dir, "blkio.throttle.write_iops_device", &format!("{number} 200"));
        }
        (None, Some(dir)) => has(&dir, "io.max", &format!("{number} rbps=1048576 wbps=2097152 riops=100 wiops=200")),
        (None, None) => panic!("no controller, and no error"),
    }
    // 0 takes one away, here too.
    let resources = json!({ "blockIO": { "throttleReadBpsDevice": throttle(&disk, 0), "throttleReadIOPSDevice": throttle(&disk, 50) } });
    assert_eq!(bundle.oci_with(&["update", "-r", "-", "c1"], &resources.to_string()).code, 0);
    match (v1(&bundle, "blkio"), v2(&bundle, "io")) {
        (Some(dir), _) => {
            assert_eq!(fs::read_to_string(dir.join("blkio.throttle.read_bps_device")).unwrap(), "");
            has(&dir, "blkio.throttle.read_iops_device", &format!("{number} 50"));
        }
        (_, dir) => has(&dir.unwrap(), "io.max", &format!("{number} rbps=max wbps=2097152 riops=50 wiops=200")),
    }
}

#[test]
fn memory_is_set_or_told() {
    let bundle = require!(Bundle::new(&["sleep", "1000"]));
    let Some(dir) = v1(&bundle, "memory") else {
        for (memory, words) in [
            (json!({ "swappiness": 33 }), "`memory.swappiness` cannot be set"),
            (json!({ "disableOOMKiller": true }), "`memory.disableOOMKiller` cannot be set"),
        ] {
            bundle.change(|spec| spec["linux"]["resources"]["memory"] = memory);
            bundle.fails(&["create", "c1"], words);
        }
        return;
    };
    bundle.change(|spec| {
        spec["linux"]["resources"]["memory"] = json!({
            "limit": 64_000_000, "swappiness": 33, "disableOOMKiller": true, "kernelTCP": 4_096_000, "kernel": 1_000_000,
            "useHierarchy": false, "checkBeforeUpdate": true,
        });
    });
    bundle.create("c1", &[]);
    let warnings = fs::read_to_string(bundle.file("err")).unwrap();
    assert_eq!(warnings.lines().count(), 2, "{warnings}");
    assert!(warnings.contains("`memory.kernel` has no effect"), "{warnings}");
    assert!(warnings.contains("`memory.useHierarchy` has no effect"), "{warnings}");
    has(&dir, "memory.swappiness", "33");
    has(&dir, "memory.oom_control", "oom_kill_disable 1");
    has(&dir, "memory.kmem.tcp.limit_in_bytes", "4096000");
    let resources = json!({ "memory": { "swappiness": 0, "disableOOMKiller": false } });
    assert_eq!(bundle.oci_with(&["update", "-r", "-", "c1"], &resources.to_string()).code, 0);
    has(&dir, "memory.swappiness", "0");
    has(&dir, "memory.oom_control", "oom_kill_disable 0");
}

#[test]
fn huge_pages_and_files_of_cgroup2_are_set_where_they_are() {
    let bundle = require!(Bundle::new(&["sleep", "1000"]));
    let has_v2 = bundle.cgroup("unified").parent().unwrap().with_file_name("cgroup.controllers").exists();
    let size = "2MB";
    let (file_v1, file_v2) = (format!("hugetlb.{size}.limit_in_bytes"), format!("hugetlb.{size}.max"));
    let huge = |limit: u64| json!([{ "pageSize": size, "limit": limit }]);
    let has_pages = Path::new("/sys/kernel/mm/hugepages/hugepages-2048kB").exists();
    let place = match (v1(&bundle, "hugetlb"), v2(&bundle, "hugetlb")) {
        (Some(dir), _) if has_pages => Some((dir, file_v1)),
        (None, Some(dir)) if has_pages => Some((dir, file_v2)),
        _ => {
            bundle.change(|spec| spec["linux"]["resources"]["hugepageLimits"] = huge(0));
            bundle.fails(&["create", "c1"], "`hugepageLimits`");
            bundle.change(|spec| spec["linux"]["resources"]["hugepageLimits"] = Value::Null);
            None
        }
    };
    bundle.change(|spec| {
        if place.is_some() {
            spec["linux"]["resources"]["hugepageLimits"] = huge(4_194_304);
        }
        spec["linux"]["resources"]["unified"] = json!({ "cgroup.max.depth": "5" });
    });
    if !has_v2 {
        return bundle.fails(&["create", "c1"], "this machine has no cgroup2");
    }
    bundle.create("c1", &[]);
    has(&bundle.cgroup("unified"), "cgroup.max.depth", "5");
    if let Some((dir, file)) = place {
        has(&dir, &file, "4194304");
        let resources = json!({ "hugepageLimits": huge(0), "unified": { "cgroup.max.depth": "6" } });
        assert_eq!(bundle.oci_with(&["update", "-r", "-", "c1"], &resources.to_string()).code, 0);
        has(&dir, &file, "0");
        has(&bundle.cgroup("unified"), "cgroup.max.depth", "6");
    }
}

#[test]
fn limits_that_cannot_be_are_refused_by_their_names() {
    let bundle = require!(Bundle::new(&["true"]));
    let mut cases = vec![
        ("blockIO", json!({ "leafWeight": 100 }), "`blockIO.leafWeight`"),
        (
            "blockIO",
            json!({ "weightDevice": [{ "major": 4095, "minor": 0, "weight": 100 }] }),
            "`blockIO.weightDevice`",
        ),
        ("blockIO", json!({ "throttleReadBpsDevice": [{ "major": 4095, "minor": 0, "rate": 1 }] }), "throttleReadBps"),
        ("memory", json!({ "swappiness": 101 }), "`memory.swappiness`"),
        ("unified", json!({ "../cgroup.max.depth": "1" }), "`unified.../cgroup.max.depth`"),
        ("unified", json!({ "nothing.such": "1" }), "`unified.nothing.such`"),
        ("hugepageLimits", json!([{ "pageSize": "3MB", "limit": 1 }]), "`hugepageLimits`"),
    ];
    if v1(&bundle, "rdma").or_else(|| v2(&bundle, "rdma")).is_none() {
        cases.push(("rdma", json!({ "mlx5_0": { "hcaHandles": 1 } }), "`rdma`"));
    }
    if v1(&bundle, "net_cls").is_none() {
        cases.push(("network", json!({ "classID": 1_048_577 }), "`network.classID`"));
    }
    if v1(&bundle, "net_prio").is_none() {
        cases.push(("network", json!({ "priorities": [{ "name": "lo", "priority": 1 }] }), "`network.priorities`"));
    }
    let before = fs::read_to_string(bundle.file("config.json")).unwrap();
    for (name, value, words) in cases {
        bundle.change(|spec| spec["linux"]["resources"][name] = value);
        bundle.fails(&["create", "c1"], words);
        assert_eq!(bundle.ok(&["list", "--quiet"]), "", "{name}");
        fs::write(bundle.file("config.json"), &before).unwrap();
    }
}

#[test]
fn other_device_rules_than_before_are_told_and_not_taken() {
    let bundle = require!(Bundle::new(&["sleep", "1000"]));
    let rules = json!([{ "allow": true, "type": "c", "major": 1, "minor": 11, "access": "rwm" }]);
    bundle.change(|spec| spec["linux"]["resources"]["devices"] = rules.clone());
    bundle.create("c1", &[]);
    let update = |rules: &Value| {
        let resources = json!({ "devices": rules, "pids": { "limit": 7 } });
        bundle.oci_with(&["update", "-r", "-", "c1"], &resources.to_string())
    };
    let output = update(&rules);
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
    let output = update(&json!([{ "allow": true, "access": "rwm" }]));
    assert!(output.code == 0 && output.stderr.contains("`devices` has no effect"), "{output:?}");
}
