//! What the kernel keeps of a process beside its rights: how it is scheduled, its personality, its security label.

use super::labels;
use crate::error::{Error, IoContext, Result};
use crate::sys::scheduling::{self, Scheduling};
use nix::errno::Errno;
use oci_spec::runtime::{
    IOPriorityClass, LinuxPersonalityDomain, LinuxSchedulerFlag, LinuxSchedulerPolicy, Scheduler, Spec,
};

/// Sets all that the specification asks for on this process, for the program that it becomes. Needs the host's `/proc`.
/// Returns warnings, of what has no effect on this machine.
pub fn set(spec: &Spec) -> Result<Vec<String>> {
    let Some(process) = spec.process() else { return Ok(Vec::new()) };
    if let Some(scheduler) = process.scheduler() {
        let doing = || "cannot set `process.scheduler`";
        scheduling::set(scheduling_of(scheduler)?).map_err(refused).doing(doing)?;
    }
    if let Some(priority) = process.io_priority() {
        let class = match priority.class() {
            IOPriorityClass::IoprioClassRt => 1,
            IOPriorityClass::IoprioClassBe => 2,
            IOPriorityClass::IoprioClassIdle => 3,
        };
        let level =
            i32::try_from(priority.priority()).ok().filter(|level| (0..8).contains(level)).ok_or_else(|| {
                Error::invalid(format!("`process.ioPriority` has no priority {}", priority.priority()))
                    .hint("use 0 to 7")
            })?;
        scheduling::set_io(class, level).map_err(refused).doing(|| "cannot set `process.ioPriority`")?;
    }
    if process.exec_cpu_affinity().is_some() {
        return Err(
            Error::unsupported("`process.execCPUAffinity` cannot be set").hint("use `linux.resources.cpu.cpus`")
        );
    }
    if let Some(personality) = spec.linux().as_ref().and_then(|linux| linux.personality().as_ref()) {
        if personality.flags().as_ref().is_some_and(|flags| !flags.is_empty()) {
            return Err(Error::unsupported("`linux.personality.flags` cannot be set").hint("leave them out"));
        }
        let persona = match personality.domain() {
            LinuxPersonalityDomain::PerLinux => 0,
            LinuxPersonalityDomain::PerLinux32 => 8,
        };
        scheduling::set_personality(persona).doing(|| "cannot set `linux.personality`")?;
    }
    labels::of_process(process)
}

fn refused(errno: Errno) -> std::io::Error {
    errno.into()
}

fn scheduling_of(scheduler: &Scheduler) -> Result<Scheduling> {
    let policy = match scheduler.policy() {
        LinuxSchedulerPolicy::SchedOther => libc::SCHED_OTHER,
        LinuxSchedulerPolicy::SchedFifo => libc::SCHED_FIFO,
        LinuxSchedulerPolicy::SchedRr => libc::SCHED_RR,
        LinuxSchedulerPolicy::SchedBatch => libc::SCHED_BATCH,
        LinuxSchedulerPolicy::SchedIdle => libc::SCHED_IDLE,
        LinuxSchedulerPolicy::SchedDeadline => libc::SCHED_DEADLINE,
        LinuxSchedulerPolicy::SchedIso => return Err(Error::invalid("Linux has no scheduler `SCHED_ISO`")),
    };
    let mut flags = 0;
    for flag in scheduler.flags().iter().flatten() {
        flags |= match flag {
            LinuxSchedulerFlag::SchedResetOnFork => 0x1,
            LinuxSchedulerFlag::SchedFlagReclaim => 0x2,
            LinuxSchedulerFlag::SchedFlagDLOverrun => 0x4,
            LinuxSchedulerFlag::SchedFlagKeepPolicy => 0x8,
            LinuxSchedulerFlag::SchedFlagKeepParams => 0x10,
            LinuxSchedulerFlag::SchedFlagUtilClampMin => 0x20,
            LinuxSchedulerFlag::SchedFlagUtilClampMax => 0x40,
        };
    }
    Ok(Scheduling {
        policy: policy.cast_unsigned(),
        flags,
        nice: scheduler.nice().unwrap_or(0),
        priority: scheduler.priority().unwrap_or(0).max(0).cast_unsigned(),
        runtime: scheduler.runtime().unwrap_or(0),
        deadline: scheduler.deadline().unwrap_or(0),
        period: scheduler.period().unwrap_or(0),
        ..Scheduling::default()
    })
}
