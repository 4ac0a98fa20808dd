//! clone3(2): a child in new namespaces, born in its cgroup, with a pidfd.
#![allow(unsafe_code)]

use nix::errno::Errno;
use nix::sched::CloneFlags;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// The parent's view of a new child.
#[derive(Debug)]
pub struct Child {
    /// Its process id here.
    pub pid: i32,
    /// Readable once it has ended.
    pub pidfd: OwnedFd,
}

/// Ends this process at once: no destructor and no exit handler runs.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: `_exit` has no precondition.
    unsafe { libc::_exit(code) }
}

/// Runs `body` in a new process and ends it with what that returns.
///
/// `cgroup` is a directory of cgroup2 to be born in (`CLONE_INTO_CGROUP`). Only for processes with one
/// thread: the child of any other could find a lock of the allocator taken for ever.
pub fn spawn(flags: CloneFlags, cgroup: Option<BorrowedFd<'_>>, body: impl FnOnce() -> i32) -> nix::Result<Child> {
    /// `struct clone_args` of clone3(2), its version of Linux 5.7.
    #[repr(C, align(8))]
    #[derive(Default)]
    struct CloneArgs {
        flags: u64,
        pidfd: u64,
        child_tid: u64,
        parent_tid: u64,
        exit_signal: u64,
        stack: u64,
        stack_size: u64,
        tls: u64,
        set_tid: u64,
        set_tid_size: u64,
        cgroup: u64,
    }
    const CLONE_PIDFD: u64 = 0x1000;
    const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

    let mut pidfd: i32 = -1;
    let mut args = CloneArgs {
        flags: u64::from(flags.bits().cast_unsigned()) | CLONE_PIDFD,
        pidfd: (&raw mut pidfd).addr() as u64,
        exit_signal: libc::SIGCHLD as u64,
        ..CloneArgs::default()
    };
    if let Some(cgroup) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = cgroup.as_raw_fd() as u64;
    }
    // SAFETY: `args` has the size that is given; without CLONE_VM the child works on its own copy of
    // all memory and returns on its own copy of this stack. glibc's cached thread id is stale in the
    // child, which matters to threads only, and the child starts none.
    let result = unsafe { libc::syscall(libc::SYS_clone3, &raw mut args, size_of::<CloneArgs>()) };
    let pid = Errno::result(result)? as i32;
    if pid == 0 {
        // A panic must not unwind into the copy of the parent's stack.
        let code = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).unwrap_or(101);
        exit_now(code);
    }
    // SAFETY: CLONE_PIDFD made the kernel store a new descriptor here, owned by nobody else.
    Ok(Child { pid, pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) } })
}

/// Runs `body` in a new process, made by clone(2): what a system call filter lets through where it refuses clone3.
/// Gives its process id. For processes with one thread, as [`spawn`].
pub fn spawn_filtered(flags: CloneFlags, body: impl FnOnce() -> i32) -> nix::Result<i32> {
    let flags = i64::from(flags.bits()) | i64::from(libc::SIGCHLD);
    // SAFETY: without CLONE_VM and with no stack given the child works on its own copy of all memory and of this
    // stack; the other pointers are null, and no flag asks for them.
    let result = unsafe { libc::syscall(libc::SYS_clone, flags, 0usize, 0usize, 0usize, 0usize) };
    let pid = Errno::result(result)? as i32;
    if pid == 0 {
        // A panic must not unwind into the copy of the parent's stack.
        let code = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).unwrap_or(101);
        exit_now(code);
    }
    Ok(pid)
}
