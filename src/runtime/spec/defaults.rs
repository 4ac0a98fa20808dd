//! What Docker's default container is like (moby, `daemon/pkg/oci/defaults.go`).

use crate::runtime::capability;
use crate::sys::capability::CapSet;
use oci_spec::OciSpecError;
use oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceCgroupBuilder, LinuxDeviceType};
use std::path::Path;

/// The fourteen default capabilities.
pub fn capabilities() -> CapSet {
    capability::DEFAULT.iter().filter_map(|name| capability::bit(name)).fold(0, |set, bit| set | bit)
}

/// What is hidden: it tells about the host, or lets it be attacked.
pub fn masked_paths() -> Vec<String> {
    const MASKED: [&str; 12] = [
        "/proc/acpi",
        "/proc/asound",
        "/proc/interrupts", // moby GHSA-6fw5-f8r9-fgfm
        "/proc/kcore",
        "/proc/keys",
        "/proc/latency_stats",
        "/proc/sched_debug",
        "/proc/scsi",
        "/proc/timer_list",
        "/proc/timer_stats",
        "/sys/devices/virtual/powercap", // moby GHSA-jq35-85cj-fj4p
        "/sys/firmware",
    ];
    // Per processor, and on some machines only (moby GHSA-6fw5-f8r9-fgfm as well).
    let throttle = (0..)
        .map(|cpu| format!("/sys/devices/system/cpu/cpu{cpu}"))
        .take_while(|cpu| Path::new(cpu).exists())
        .map(|cpu| cpu + "/thermal_throttle")
        .filter(|path| Path::new(path).exists());
    MASKED.map(str::to_owned).into_iter().chain(throttle).collect()
}

/// What is not writable.
pub fn read_only_paths() -> Vec<String> {
    ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"].map(str::to_owned).into()
}

/// Which devices may be used: nodes of all may be made, only these opened.
pub fn device_rules() -> Result<Vec<LinuxDeviceCgroup>, OciSpecError> {
    const OPEN: [(i64, Option<i64>); 9] = [
        (1, Some(3)), // null
        (1, Some(5)), // zero
        (1, Some(7)), // full
        (1, Some(8)), // random
        (1, Some(9)), // urandom
        (5, Some(0)), // tty
        (5, Some(1)), // console
        (5, Some(2)), // ptmx
        (136, None),  // pts
    ];
    let nodes =
        [LinuxDeviceType::C, LinuxDeviceType::B].into_iter().map(|kind| rule(true, Some(kind), None, None, "m"));
    let open = OPEN.into_iter().map(|(major, minor)| rule(true, Some(LinuxDeviceType::C), Some(major), minor, "rwm"));
    std::iter::once(rule(false, None, None, None, "rwm")).chain(nodes).chain(open).collect()
}

/// Every device.
pub fn all_devices() -> Result<Vec<LinuxDeviceCgroup>, OciSpecError> {
    Ok(vec![rule(true, None, None, None, "rwm")?])
}

/// One rule.
pub fn rule(
    allow: bool,
    kind: Option<LinuxDeviceType>,
    major: Option<i64>,
    minor: Option<i64>,
    access: &str,
) -> Result<LinuxDeviceCgroup, OciSpecError> {
    let mut rule = LinuxDeviceCgroupBuilder::default().allow(allow).access(access).build()?;
    rule.set_typ(kind).set_major(major).set_minor(minor);
    Ok(rule)
}
