//! Weights and throttles of disks.

use super::limits::{missing, set};
use super::{Group, Hierarchy};
use crate::error::{Error, Result};
use oci_spec::runtime::{LinuxBlockIo, LinuxThrottleDevice};
use std::path::Path;

/// Sets what was asked for; a weight of 0 means that nothing was.
pub fn apply(group: &Group<'_>, block_io: &LinuxBlockIo) -> Result<()> {
    apply_throttles(group, block_io)?;
    if let Some(weight) = block_io.weight().filter(|weight| *weight != 0) {
        weigh(group, "io_weight", None, weight)?;
    }
    if let Some(weight) = block_io.leaf_weight().filter(|weight| *weight != 0) {
        set_leaf_weight(group, "blkio.leaf_weight", "blockIO.leafWeight", &weight.to_string())?;
    }
    for device in block_io.weight_device().iter().flatten() {
        let disk = format!("{}:{}", device.major(), device.minor());
        if let Some(weight) = device.weight().filter(|weight| *weight != 0) {
            weigh(group, "blockIO.weightDevice", Some(&disk), weight)?;
        }
        if let Some(weight) = device.leaf_weight().filter(|weight| *weight != 0) {
            let option = "blockIO.weightDevice.leafWeight";
            set_leaf_weight(group, "blkio.leaf_weight_device", option, &format!("{disk} {weight}"))?;
        }
    }
    Ok(())
}

fn hierarchy<'a>(group: &Group<'a>, option: &str) -> Result<&'a Hierarchy> {
    let found = group.hierarchies.of("blkio").or_else(|| group.hierarchies.of("io"));
    found.ok_or_else(|| missing("blkio", option, group.hierarchies.absent.as_deref()))
}

fn apply_throttles(group: &Group<'_>, block_io: &LinuxBlockIo) -> Result<()> {
    type Throttle<'a> = (&'a Option<Vec<LinuxThrottleDevice>>, &'static str, &'static str, &'static str);
    let throttles: [Throttle<'_>; 4] = [
        (block_io.throttle_read_bps_device(), "read_bps", "rbps", "blockIO.throttleReadBpsDevice"),
        (block_io.throttle_write_bps_device(), "write_bps", "wbps", "blockIO.throttleWriteBpsDevice"),
        (block_io.throttle_read_iops_device(), "read_iops", "riops", "blockIO.throttleReadIOPSDevice"),
        (block_io.throttle_write_iops_device(), "write_iops", "wiops", "blockIO.throttleWriteIOPSDevice"),
    ];
    for (devices, v1, v2, option) in throttles {
        for device in devices.iter().flatten() {
            let (disk, rate) = (format!("{}:{}", device.major(), device.minor()), device.rate());
            let hierarchy = hierarchy(group, option)?;
            if hierarchy.is_v2() {
                // 0 takes a limit of v1 away; v2 has a word for that.
                let rate = if rate == 0 { "max".to_owned() } else { rate.to_string() };
                set(group, hierarchy, "io.max", option, &format!("{disk} {v2}={rate}"))?;
            } else {
                set(group, hierarchy, &format!("blkio.throttle.{v1}_device"), option, &format!("{disk} {rate}"))?;
            }
        }
    }
    Ok(())
}

/// What counts against groups below: the scheduler CFQ had it, and went with Linux 5.0.
fn set_leaf_weight(group: &Group<'_>, file: &str, option: &str, value: &str) -> Result<()> {
    set(group, hierarchy(group, option)?, file, option, value)
}

/// Weighs the I/O on a disk, or on all.
fn weigh(group: &Group<'_>, option: &str, disk: Option<&str>, weight: u16) -> Result<()> {
    let hierarchy = hierarchy(group, option)?;
    // A file can be there though no disk has the scheduler that looks at it.
    let used = Schedulers {
        bfq: is_scheduled_by("bfq", disk),
        cfq: is_scheduled_by("cfq", disk),
        cost: io_cost_is_enabled(hierarchy, disk),
    };
    let mut has_effect = false;
    for (file, value) in weight_files(hierarchy.is_v2(), &used, disk, weight) {
        if hierarchy.dir(group.path).join(file).exists() {
            set(group, hierarchy, file, option, &value)?;
            has_effect = true;
        }
    }
    if has_effect {
        return Ok(());
    }
    let (whose, name) = disk.map_or(("no disk of this machine has", "DISK"), |disk| ("the disk does not have", disk));
    let hint = match disk {
        None => {
            format!("leave `{option}` out, or choose the scheduler: `echo bfq > /sys/block/{name}/queue/scheduler`")
        }
        Some(disk) => {
            format!("leave `{option}` out, or choose the scheduler: `echo bfq > /sys/dev/block/{disk}/queue/scheduler`")
        }
    };
    Err(Error::unsupported(format!("`{option}` cannot be set: {whose} a scheduler with weights")).hint(hint))
}

/// What looks at weights here.
struct Schedulers {
    bfq: bool,
    cfq: bool,
    cost: bool,
}

/// The files that a weight goes to, and what is written there.
fn weight_files(v2: bool, used: &Schedulers, disk: Option<&str>, weight: u16) -> Vec<(&'static str, String)> {
    // 10…1000 of the OCI spec into 1…10000, as runc does.
    let scaled = 1 + u64::from(weight).saturating_sub(10) * 9999 / 990;
    let (plain, of_disk) = (|| weight.to_string(), |disk: &str| format!("{disk} {weight}"));
    let files = match (v2, disk) {
        (true, None) => [(used.bfq, "io.bfq.weight", plain()), (used.cost, "io.weight", format!("default {scaled}"))],
        (true, Some(disk)) => {
            [(used.bfq, "io.bfq.weight", of_disk(disk)), (used.cost, "io.weight", format!("{disk} {scaled}"))]
        }
        (false, None) => [(used.bfq, "blkio.bfq.weight", plain()), (used.cfq, "blkio.weight", plain())],
        (false, Some(disk)) => {
            [(used.bfq, "blkio.bfq.weight_device", of_disk(disk)), (used.cfq, "blkio.weight_device", of_disk(disk))]
        }
    };
    files.into_iter().filter(|(used, _, _)| *used).map(|(_, file, value)| (file, value)).collect()
}

/// Whether the disk, or any of the machine, has this scheduler: it stands in brackets.
fn is_scheduled_by(name: &str, disk: Option<&str>) -> bool {
    let chosen = format!("[{name}]");
    let has = |disk: &Path| {
        let schedulers = std::fs::read_to_string(disk.join("queue/scheduler")).unwrap_or_default();
        schedulers.split_ascii_whitespace().any(|it| it == chosen)
    };
    match disk {
        Some(disk) => has(&Path::new("/sys/dev/block").join(disk)),
        None => std::fs::read_dir("/sys/block").into_iter().flatten().flatten().any(|disk| has(&disk.path())),
    }
}

/// Whether the weights of cgroup2's own controller (`io.cost.qos`, one line a disk) are looked at.
fn io_cost_is_enabled(hierarchy: &Hierarchy, disk: Option<&str>) -> bool {
    let disks = std::fs::read_to_string(hierarchy.mount_point.join("io.cost.qos")).unwrap_or_default();
    disks.lines().any(|line| {
        let mut words = line.split_ascii_whitespace();
        let name = words.next();
        disk.is_none_or(|disk| name == Some(disk)) && words.any(|setting| setting == "enable=1")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::runtime::cgroup::pretend::{Pretend, V1, V2};
    use serde_json::json;

    #[test]
    fn throttles_are_written_as_each_version_reads_them() {
        for (name, rate, v1, v2) in [
            ("throttleReadBpsDevice", 1_048_576, "read_bps_device=8:16 1048576", "rbps=1048576"),
            ("throttleWriteBpsDevice", 5, "write_bps_device=8:16 5", "wbps=5"),
            ("throttleReadIOPSDevice", 100, "read_iops_device=8:16 100", "riops=100"),
            ("throttleWriteIOPSDevice", 0, "write_iops_device=8:16 0", "wiops=max"),
        ] {
            let resources = json!({ "blockIO": { name: [{ "major": 8, "minor": 16, "rate": rate }] } });
            let written = Pretend::new(V1, &["blkio"]).set(&resources).unwrap();
            assert_eq!(written, [format!("blkio.throttle.{v1}")]);
            let written = Pretend::new(V2, &["io"]).set(&resources).unwrap();
            assert_eq!(written, [format!("io.max=8:16 {v2}")]);
        }
    }

    #[test]
    fn a_weight_goes_to_what_looks_at_it() {
        let none = Schedulers { bfq: false, cfq: false, cost: false };
        let all = Schedulers { bfq: true, cfq: true, cost: true };
        let files = |v2: bool, disk: Option<&str>| -> Vec<String> {
            weight_files(v2, &all, disk, 500).iter().map(|(file, value)| format!("{file}={value}")).collect()
        };
        assert_eq!(files(V1, None), ["blkio.bfq.weight=500", "blkio.weight=500"]);
        assert_eq!(files(V1, Some("8:0")), ["blkio.bfq.weight_device=8:0 500", "blkio.weight_device=8:0 500"]);
        assert_eq!(files(V2, None), ["io.bfq.weight=500", "io.weight=default 4950"]);
        assert_eq!(files(V2, Some("8:0")), ["io.bfq.weight=8:0 500", "io.weight=8:0 4950"]);
        assert!(weight_files(V2, &none, None, 500).is_empty());
    }

    #[test]
    fn io_cost_counts_for_the_disks_that_have_it() {
        let folder = tempfile::tempdir().unwrap();
        let qos = "8:0 enable=1 ctrl=auto\n8:16 enable=0 ctrl=user\n";
        std::fs::write(folder.path().join("io.cost.qos"), qos).unwrap();
        let hierarchy = Hierarchy::pretend(folder.path().to_owned(), &["io"], V2);
        assert!(io_cost_is_enabled(&hierarchy, None) && io_cost_is_enabled(&hierarchy, Some("8:0")));
        assert!(!io_cost_is_enabled(&hierarchy, Some("8:16")) && !io_cost_is_enabled(&hierarchy, Some("8:1")));
    }

    #[test]
    fn leaf_weights_are_set_where_they_are_and_refused_elsewhere() {
        let all = json!({ "blockIO": { "leafWeight": 20 } });
        assert_eq!(Pretend::new(V1, &["blkio"]).set(&all).unwrap(), ["blkio.leaf_weight=20"]);
        let one = json!({ "blockIO": { "weightDevice": [{ "major": 8, "minor": 0, "leafWeight": 30 }] } });
        assert_eq!(Pretend::new(V1, &["blkio"]).set(&one).unwrap(), ["blkio.leaf_weight_device=8:0 30"]);
        for resources in [all, one] {
            let error = Pretend::new(V2, &["io"]).set(&resources).unwrap_err();
            assert!(error.is(ErrorKind::Unsupported) && error.message().contains("eight`"), "{error:?}");
        }
        // A disk that cannot be: whatever this machine's have, it has no scheduler.
        let nowhere = json!({ "blockIO": { "weightDevice": [{ "major": 4095, "minor": 0, "weight": 30 }] } });
        let error = Pretend::new(V2, &["io"]).set(&nowhere).unwrap_err();
        assert!(error.is(ErrorKind::Unsupported) && error.message().contains("`blockIO.weightDevice`"), "{error:?}");
    }
}
