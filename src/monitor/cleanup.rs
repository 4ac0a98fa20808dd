//! What a container leaves, and taking it away. It goes on after a failure: there is nobody to tell, and
//! whatever is left is swept by the next command.

use crate::error::{IoContext, Result};
use crate::runtime::cgroup::{Group, Hierarchies, container_path, monitors_path, remove_group, remove_if_empty};
use crate::runtime::external::External;
use crate::runtime::launch::Launch;
use crate::runtime::network::{self, NetworkPlan};
use crate::sys::clone::Child;
use crate::sys::pidfd;
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What has to be taken away when a container has ended, or could not be started.
#[derive(Debug)]
pub struct Remains {
    hierarchies: Hierarchies,
    group: PathBuf,
    monitors: PathBuf,
    moved: bool,
    run_dir: PathBuf,
    network: NetworkPlan,
    attached: bool,
    /// The network namespace: it outlives the processes in it, so that a restart finds the same address.
    netns: Option<Arc<File>>,
    /// The user namespace that owns it, when it is not the host's.
    pub(super) user_namespace: Option<Arc<File>>,
    /// The first process, until it is known to have ended.
    init: Option<(i32, OwnedFd)>,
    /// The mount namespace: its mounts go when the last descriptor is closed, and unmounting an overlay
    /// syncs it. Held here, that happens after the caller has its answer, not in the dying process.
    mounts: Option<File>,
    /// The writing end of the program's input.
    input: Option<OwnedFd>,
    /// The runtime that made the container, when it is not this program.
    external: Option<External>,
}

impl Remains {
    /// Of a launch that has made nothing yet.
    pub fn new(launch: &Launch, hierarchies: Hierarchies) -> Self {
        Self {
            hierarchies,
            group: container_path(&launch.root_id8, launch.id.as_str()),
            monitors: monitors_path(&launch.root_id8),
            moved: false,
            run_dir: launch.run_dir.clone(),
            network: launch.network.clone(),
            attached: false,
            netns: None,
            user_namespace: None,
            init: None,
            mounts: None,
            input: None,
            external: External::of(launch),
        }
    }

    /// The container's control groups.
    pub fn group(&self) -> Group<'_> {
        Group { hierarchies: &self.hierarchies, path: &self.group }
    }

    /// There is a process now, with mounts.
    pub fn hold(&mut self, init: &Child) -> Result<()> {
        let doing = || "cannot hold the first process";
        self.init = Some((init.pid, init.pidfd.try_clone().doing(doing)?));
        self.mounts = Some(File::open(format!("/proc/{}/ns/mnt", init.pid)).doing(doing)?);
        Ok(())
    }

    /// Keeps the program's input open.
    pub fn hold_input(&mut self, input: OwnedFd) {
        self.input = Some(input);
    }

    /// The program's input, when it is held open.
    pub fn input(&self) -> Option<BorrowedFd<'_>> {
        self.input.as_ref().map(AsFd::as_fd)
    }

    /// Connects the network of the first process.
    pub fn attach_network(&mut self, pid: i32) -> Result<()> {
        if !matches!(self.network, NetworkPlan::Host | NetworkPlan::Joined) {
            let path = format!("/proc/{pid}/ns/net");
            let netns = File::open(&path).doing(|| format!("cannot open `{path}`"))?;
            // What was done of it before a failure is taken back.
            self.attached = true;
            network::attach(&self.network, netns.as_fd())?;
            self.netns = Some(Arc::new(netns));
        }
        self.attached = true;
        Ok(())
    }

    /// The network namespace, to be born in.
    pub fn network(&self) -> Option<Arc<File>> {
        self.netns.clone()
    }

    /// It is connected in another way now.
    pub fn set_network(&mut self, network: NetworkPlan) {
        self.network = network;
    }

    /// The first process has been reaped.
    pub fn init_ended(&mut self) {
        self.init = None;
    }

    /// Takes away what belongs to one run, not to the container.
    pub fn run_ended(&mut self) {
        self.kill_init();
        if let Some(external) = &self.external {
            // Its name is to be free for the next run.
            external.delete();
        }
        self.input = None;
        self.mounts = None;
    }

    /// Lets the links go: the kernel takes them away by and by.
    pub fn disconnect(&mut self) {
        self.netns = None;
    }

    fn kill_init(&mut self) {
        if let Some((pid, init)) = self.init.take() {
            let _ = pidfd::send_signal(&init, libc::SIGKILL);
            let _ = waitpid(Pid::from_raw(pid), None);
        }
    }

    /// Moves this monitor out of its caller's control groups: it is not to end with them.
    ///
    /// On cgroup2 this waits for an RCU grace period, so it is done once the container has proved not to
    /// be a short one.
    pub fn leave_callers_groups(&mut self) {
        if self.hierarchies.is_left() {
            return;
        }
        let group = Group { hierarchies: &self.hierarchies, path: &self.monitors };
        for hierarchy in self.hierarchies.all() {
            // A hierarchy that does not let us is one where the caller's limits stay ours.
            let _ = hierarchy.create(&self.monitors);
        }
        let _ = group.enter_v1();
        if let Some(unified) = &self.hierarchies.unified {
            let _ = enter_v2(&unified.dir(&self.monitors));
        }
        self.moved = true;
    }

    /// Takes everything away.
    pub fn take_away(&mut self) {
        self.kill_init();
        self.netns = None;
        if let Some(external) = &self.external {
            external.delete();
        }
        if self.attached {
            let _ = network::detach(&self.network);
        }
        self.input = None;
        self.mounts = None;
        let left = remove_group(&self.hierarchies, &self.group);
        if self.moved {
            self.leave_own_groups();
        }
        // Last: should this monitor be killed before, or should something be left, the next command knows by it that there
        // is something to sweep.
        if left.is_empty() {
            let _ = std::fs::remove_dir_all(&self.run_dir);
        }
    }

    /// To the hierarchies' roots, or back where it came from, so that the last monitor of a root can remove the group of all.
    fn leave_own_groups(&self) {
        let top = Group { hierarchies: &self.hierarchies, path: Path::new("") };
        let _ = top.enter_v1();
        if let Some(unified) = &self.hierarchies.unified {
            let _ = enter_v2(unified.left_to());
        }
        remove_if_empty(&self.hierarchies, &self.monitors);
    }
}

fn enter_v2(dir: &Path) -> std::io::Result<()> {
    std::fs::OpenOptions::new().write(true).open(dir.join("cgroup.procs"))?.write_all(b"0")
}
