//! Changing owners where there is one id only: the new owner is recorded beside the file, as when a layer is unpacked.
//!
//! A filter has the calls of `chown` wait for an answer (`seccomp::owners`). What listens goes to the monitor, which
//! at the first call forks a process that answers. It looks paths up as the caller would, with the caller's
//! root and working directory as its own, and then does nothing but what the user may do anyway. Where it cannot tell what is meant, the
//! kernel makes the call, and says why not.

use super::seccomp::owners::{Change, Named, change};
use crate::error::{IoContext, Result};
use crate::sys::close_range::close_all_but;
use crate::sys::fork::fork_single_threaded;
use crate::sys::node::{Node, NodeKind};
use crate::sys::ownership;
use crate::sys::seccomp_notify::{self, Answer, Call};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, open, openat};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, chroot, fchdir, fchownat};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Nobody changes owners for so long: this process ends, and the next call brings another one.
const IDLE_MILLISECONDS: u16 = 2000;
/// Longest path of a system call (`PATH_MAX`), with its end.
const LONGEST_PATH: usize = 4096;
/// `CAP_CHOWN` (linux/capability.h).
const CAP_CHOWN: u64 = 1;

/// Starts a child process that answers calls of the container whose first process is `init`, until there is none for some time
/// (exit code 0), this process ends, or it is killed. The caller reaps it, and does not watch the listener while it lives. One that
/// failed has left a call without an answer: the listener has to be closed.
///
/// # Errors
/// `unsupported` in a process with several threads.
pub fn start(listener: BorrowedFd<'_>, init: i32) -> Result<Pid> {
    fork_single_threaded(|| {
        // The monitor's other descriptors are its own.
        let alone = close_all_but(&[listener.as_raw_fd()]);
        let served = catch_unwind(AssertUnwindSafe(|| serve(listener, init)));
        i32::from(alone.is_err() || !matches!(served, Ok(Ok(()))))
    })
}

fn serve(listener: BorrowedFd<'_>, init: i32) -> Result<()> {
    let doing = || "cannot answer changes of owners";
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let look = |path: &str| open(path, flags, Mode::empty());
    let server = Server {
        listener,
        root: look("/").doing(doing)?,
        // One that has ended has no files.
        mount: look(&format!("/proc/{init}/root")).and_then(Node::of).ok().and_then(|root| root.mount_id().ok()),
    };
    loop {
        let mut fds = [PollFd::new(listener, PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::from(IDLE_MILLISECONDS)) {
            Err(Errno::EINTR) => continue,
            other => other.doing(doing)?,
        };
        // Nothing came, or nobody is left who could call.
        if !fds[0].revents().is_some_and(|seen| seen.contains(PollFlags::POLLIN)) {
            return Ok(());
        }
        if let Some(call) = seccomp_notify::receive(listener).doing(doing)? {
            let answer = server.answer(&call);
            // Whoever looks up the next path must not begin in a container.
            server.come_back().doing(doing)?;
            seccomp_notify::answer(listener, call.id, answer.unwrap_or_else(Answer::Failed));
        }
    }
}

struct Server<'a> {
    listener: BorrowedFd<'a>,
    /// The machine's root.
    root: OwnedFd,
    /// The mount of the container's own files; `None`: it has none any more.
    mount: Option<u64>,
}

impl Server<'_> {
    fn answer(&self, call: &Call) -> nix::Result<Answer> {
        let Some(change) = change(call) else { return Ok(Answer::Made) };
        let Some(node) = self.find(call, &change) else { return Ok(Answer::Made) };
        self.come_back()?;
        let stat = node.stat();
        // Of somebody whom the container does not have.
        if stat.st_uid != 0 {
            return Err(Errno::EPERM);
        }
        // What the kernel does at each change: the time, no more setuid and capabilities; and it says where nothing can be written.
        fchownat(&node, "", None, None, AtFlags::AT_EMPTY_PATH)?;
        if self.mount.is_none() || node.mount_id().ok() != self.mount {
            // The machine's files, and those of the kernel: nothing of the container's is recorded there.
            return Ok(Answer::Done);
        }
        // Others can have no attributes (xattr(7)).
        if !matches!(node.kind(), NodeKind::File | NodeKind::Folder) {
            return Ok(Answer::Done);
        }
        let recorded = node.xattrs().map(|attributes| ownership::recorded(&attributes)).unwrap_or_default();
        let before = recorded.unwrap_or((stat.st_uid, stat.st_gid));
        let after = (change.uid.unwrap_or(before.0), change.gid.unwrap_or(before.1));
        if after != before {
            ownership::record(&node, after)?;
        }
        Ok(Answer::Done)
    }

    fn come_back(&self) -> nix::Result<()> {
        fchdir(&self.root)?;
        chroot(".")
    }

    /// The file that a call is about; `None` when the kernel is to say what is wrong with it.
    fn find(&self, call: &Call, change: &Change) -> Option<Node> {
        let place = OFlag::O_PATH | OFlag::O_CLOEXEC;
        let task = open(format!("/proc/{}", call.pid).as_str(), place | OFlag::O_DIRECTORY, Mode::empty()).ok()?;
        let at = |path: &str| openat(&task, path, place, Mode::empty()).ok();
        let read =
            |path: &str| openat(&task, path, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty()).map(File::from).ok();
        let (root, status) = (at("root")?, read("status")?);
        let base = match change.file {
            Named::Wrongly => return None,
            Named::Open(fd) | Named::Path { folder: Some(fd), .. } => at(&format!("fd/{fd}")),
            Named::Path { folder: None, .. } => at("cwd"),
        };
        let memory = read("mem")?;
        // All of this is of the thread that waits, not of another one that has its number by now.
        if !seccomp_notify::is_waiting(self.listener, call.id) || !may_change_owners(status).unwrap_or(false) {
            return None;
        }
        let Named::Path { address, follow, may_be_empty, .. } = change.file else { return Node::of(base?).ok() };
        let path = path_at(&memory, address)?;
        if path.is_empty() {
            return if may_be_empty { Node::of(base?).ok() } else { None };
        }
        fchdir(&root).and_then(|()| chroot(".")).ok()?;
        if path[0] != b'/' {
            fchdir(base?).ok()?;
        }
        let flags = if follow { place } else { place | OFlag::O_NOFOLLOW };
        openat(AT_FDCWD, OsStr::from_bytes(&path), flags, Mode::empty()).and_then(Node::of).ok()
    }
}

/// Whether a thread has `CAP_CHOWN`, as its status says (proc_pid_status(5)).
fn may_change_owners(status: File) -> io::Result<bool> {
    let mut text = String::new();
    status.take(1 << 16).read_to_string(&mut text)?;
    let set = text.lines().find_map(|line| line.strip_prefix("CapEff:"));
    Ok(set.and_then(|set| u64::from_str_radix(set.trim(), 16).ok()).is_some_and(|set| set & CAP_CHOWN != 0))
}

/// The path at an address of a process, without the zero byte at its end.
fn path_at(memory: &File, address: u64) -> Option<Vec<u8>> {
    let mut path = vec![0; LONGEST_PATH];
    let mut length = 0;
    // A read ends where the next page is none.
    while length < path.len() {
        let read =
            memory.read_at(&mut path[length..], address.checked_add(length as u64)?).ok().filter(|read| *read > 0)?;
        if let Some(end) = path[length..length + read].iter().position(|byte| *byte == 0) {
            path.truncate(length + end);
            return Some(path);
        }
        length += read;
    }
    None
}
