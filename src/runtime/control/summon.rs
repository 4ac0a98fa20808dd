//! Starting a monitor while its caller is still writing down what it is to launch.

use super::channel::Channel;
use super::program;
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::model::Id;
use crate::privilege::Privilege;
use crate::runtime::cgroup::container_path;
use crate::runtime::launch::Launch;
use crate::runtime::systemd;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// Name that a monitor is executed under: `shanty-monitor SHORT_ID ROOT CONTROL_GROUP`. How the binary knows its role;
/// the first two are for people who look at `ps`.
pub const MONITOR_ARGV0: &str = "shanty-monitor";
/// Name that a cleaner is executed under: `shanty-cleaner ROOT [CONTAINER]`.
pub const CLEANER_ARGV0: &str = "shanty-cleaner";

/// A monitor that is coming: it has no container yet, and goes when this is dropped.
#[derive(Debug)]
pub struct Summons(JoinHandle<Result<Channel>>);

/// Starts the monitor of a container, on a thread: what must be known for a launch takes as long to write down as a
/// process takes to start.
///
/// `beside` is any directory without a subdirectory that has this binary's name.
pub fn summon(root: &Path, root_id8: &str, id: &Id, beside: &Path) -> Result<Summons> {
    let who = Who {
        short_id: id.short().to_owned(),
        root: root.to_owned(),
        group: container_path(root_id8, id.as_str()),
        beside: beside.to_owned(),
    };
    let thread = thread::Builder::new().name("summon".into()).spawn(move || spawn(&who));
    thread.map(Summons).doing(|| "cannot start a thread")
}

impl Summons {
    /// For a launch that is known already.
    pub(super) fn of(launch: &Launch) -> Result<Self> {
        let beside = launch.run_dir.parent().unwrap_or(&launch.run_dir);
        std::fs::create_dir_all(beside).doing(|| format!("cannot make the directory `{}`", beside.display()))?;
        summon(&launch.root, &launch.root_id8, &launch.id, beside)
    }

    /// The connection that it was born with.
    pub(super) fn channel(self) -> Result<Channel> {
        self.0.join().unwrap_or_else(|_| Err(Error::new(ErrorKind::Io, "the thread that starts monitors panicked")))
    }
}

struct Who {
    short_id: String,
    root: PathBuf,
    group: PathBuf,
    beside: PathBuf,
}

fn spawn(who: &Who) -> Result<Channel> {
    let program = program::protected(&who.beside)?;
    let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)
        .doing(|| "cannot make a socket pair")?;
    // Without `pre_exec` this is a posix_spawn: no copy of a large address space is made, and it is
    // safe beside other threads.
    let bus = std::env::var_os(systemd::BUS).filter(|_| Privilege::current().is_rootless());
    let child = Command::new(program.path())
        .arg0(MONITOR_ARGV0)
        .arg(&who.short_id)
        .arg(&who.root)
        .arg(&who.group)
        .env_clear()
        .envs(bus.map(|bus| (systemd::BUS, bus)))
        .current_dir("/")
        .stdin(Stdio::from(theirs))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .doing(|| "cannot execute the monitor")?;
    monitors().push(child);
    Ok(Channel::new(ours))
}

/// Has a process reaped as monitors are.
pub fn keep_child(child: Child) {
    monitors().push(child);
}

/// The monitors that this process has started and that live. Those that have ended are reaped here: at
/// the next launch, and by whoever waits for one.
pub(super) fn monitors() -> MutexGuard<'static, Vec<Child>> {
    static MONITORS: Mutex<Vec<Child>> = Mutex::new(Vec::new());
    let mut monitors = MONITORS.lock().unwrap_or_else(PoisonError::into_inner);
    monitors.retain_mut(|monitor| matches!(monitor.try_wait(), Ok(None)));
    monitors
}
