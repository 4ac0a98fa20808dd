//! How the kernel schedules this process: sched_setattr(2), ioprio_set(2); and which kernel it seems to run on
//! (personality(2)).
#![allow(unsafe_code)]

use nix::errno::Errno;

/// `struct sched_attr` of sched_setattr(2), its first version.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Scheduling {
    /// Size of this; [`set`] fills it in.
    pub size: u32,
    /// `SCHED_OTHER`, `SCHED_FIFO`, …
    pub policy: u32,
    /// `SCHED_FLAG_…`.
    pub flags: u64,
    /// For `SCHED_OTHER` and `SCHED_BATCH`.
    pub nice: i32,
    /// For `SCHED_FIFO` and `SCHED_RR`.
    pub priority: u32,
    /// For `SCHED_DEADLINE`, nanoseconds.
    pub runtime: u64,
    /// See `runtime`.
    pub deadline: u64,
    /// See `runtime`.
    pub period: u64,
}

/// Schedules this process so.
pub fn set(scheduling: Scheduling) -> nix::Result<()> {
    let scheduling = Scheduling { size: size_of::<Scheduling>() as u32, ..scheduling };
    // SAFETY: the structure has the size that it names and outlives the call.
    Errno::result(unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const scheduling, 0) }).map(drop)
}

/// Schedules the I/O of this process so: a class (1 real-time, 2 best effort, 3 idle) and a level in it.
pub fn set_io(class: i32, level: i32) -> nix::Result<()> {
    const IOPRIO_WHO_PROCESS: i32 = 1;
    const CLASS_SHIFT: i32 = 13;
    // SAFETY: no memory is passed.
    Errno::result(unsafe { libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, class << CLASS_SHIFT | level) })
        .map(drop)
}

/// Gives this process the personality `PER_…`.
pub fn set_personality(persona: libc::c_ulong) -> nix::Result<()> {
    // SAFETY: no memory is passed.
    Errno::result(unsafe { libc::personality(persona) }).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_can_be_made_to_stand_back() {
        // Of this thread alone, which ends with the test.
        set_io(3, 0).unwrap();
        set(Scheduling { policy: libc::SCHED_BATCH as u32, nice: 19, ..Scheduling::default() }).unwrap();
        // SAFETY: no memory is passed.
        assert_eq!(unsafe { libc::sched_getscheduler(0) }, libc::SCHED_BATCH);
    }
}
