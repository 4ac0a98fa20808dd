//! The limits of a container as the specification has them.

use super::defaults;
use crate::model::ResourceLimits;
use oci_spec::OciSpecError;
use oci_spec::runtime::{
    LinuxBlockIo, LinuxBlockIoBuilder, LinuxCpu, LinuxDeviceCgroup, LinuxMemory, LinuxPids, LinuxPidsBuilder,
    LinuxResources, LinuxResourcesBuilder,
};

/// Microseconds in which a processor quota is counted: Docker's.
const PERIOD: u64 = 100_000;
/// The kernel's weight of a group.
const DEFAULT_SHARES: u64 = 1024;

/// Limits that are set anew: zero takes one away.
pub fn changed_limits(limits: &ResourceLimits) -> LinuxResources {
    let mut resources = LinuxResources::default();
    resources.set_devices(None);
    let or_none = |bytes: u64| if bytes == 0 { -1 } else { i64::try_from(bytes).unwrap_or(i64::MAX) };

    let mut memory = LinuxMemory::default();
    memory.set_limit(limits.memory.map(or_none));
    // Without a limit of memory there is none of both.
    memory.set_swap(if limits.memory == Some(0) { Some(-1) } else { limits.memory_swap.filter(|swap| *swap != 0) });
    memory.set_reservation(limits.memory_reservation.map(or_none));
    if limits.memory.is_some() || limits.memory_swap.is_some() || limits.memory_reservation.is_some() {
        resources.set_memory(Some(memory));
    }
    let mut cpu = LinuxCpu::default();
    cpu.set_shares(limits.cpu_shares.map(|shares| if shares == 0 { DEFAULT_SHARES } else { shares }));
    cpu.set_cpus(limits.cpuset.clone());
    if let Some(cpus) = limits.cpus {
        cpu.set_period(Some(PERIOD));
        cpu.set_quota(Some(if cpus > 0.0 { (cpus * PERIOD as f64).round() as i64 } else { -1 }));
    }
    if limits.cpu_shares.is_some() || limits.cpuset.is_some() || limits.cpus.is_some() {
        resources.set_cpu(Some(cpu));
    }
    if let Some(most) = limits.pids {
        let mut pids = LinuxPids::default();
        pids.set_limit(or_none(most));
        resources.set_pids(Some(pids));
    }
    if let Some(weight) = limits.io_weight.filter(|weight| *weight != 0) {
        let mut block_io = LinuxBlockIo::default();
        block_io.set_weight(Some(weight));
        resources.set_block_io(Some(block_io));
    }
    resources
}

/// The limits and device rules of a container.
pub fn of(
    limits: &ResourceLimits,
    privileged: bool,
    rules: &[LinuxDeviceCgroup],
) -> Result<LinuxResources, OciSpecError> {
    let mut devices = if privileged { defaults::all_devices()? } else { defaults::device_rules()? };
    if !privileged {
        devices.extend_from_slice(rules);
    }
    let mut resources = LinuxResourcesBuilder::default().devices(devices).build()?;

    let mut memory = LinuxMemory::default();
    let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    memory.set_limit(limits.memory.filter(|limit| *limit != 0).map(bytes));
    memory.set_swap(limits.memory_swap.filter(|swap| *swap != 0));
    memory.set_reservation(limits.memory_reservation.filter(|soft| *soft != 0).map(bytes));
    resources.set_memory(Some(memory));

    let mut cpu = LinuxCpu::default();
    cpu.set_shares(limits.cpu_shares);
    cpu.set_cpus(limits.cpuset.clone());
    if let Some(cpus) = limits.cpus.filter(|cpus| *cpus > 0.0) {
        cpu.set_period(Some(PERIOD));
        cpu.set_quota(Some((cpus * PERIOD as f64).round() as i64));
    }
    resources.set_cpu(Some(cpu));

    if let Some(most) = limits.pids.filter(|most| *most != 0) {
        resources.set_pids(Some(LinuxPidsBuilder::default().limit(bytes(most)).build()?));
    }
    if let Some(weight) = limits.io_weight.filter(|weight| *weight != 0) {
        resources.set_block_io(Some(LinuxBlockIoBuilder::default().weight(weight).build()?));
    }
    Ok(resources)
}
