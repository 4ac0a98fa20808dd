//! Control groups of containers: v1, v2 and both side by side.
//!
//! A container has the group `shanty/<id8>/<container>` in every hierarchy, counted from the
//! hierarchy's root: below the caller's group, stopping a systemd unit would kill every container. For an ordinary user
//! the part of cgroup2 that is delegated to it is the hierarchy, or a scope that its systemd makes for each container; where
//! there is neither, containers have no groups.

mod block_io;
mod delegation;
mod devices;
mod freeze;
mod hierarchy;
mod limits;
mod oom;
#[cfg(test)]
mod pretend;
mod processor;
mod rare_limits;
mod remove;
mod scopes;
mod stats;

pub use delegation::{Place, controllers, place};
pub use devices::NO_DEVICE_RULES;
pub use hierarchy::{Hierarchies, Hierarchy};
pub use oom::OomWatch;
pub use remove::{remove_group, remove_if_empty};
pub use scopes::leave;
pub use stats::{BlockUsage, CpuUsage, MemoryUsage, PidsUsage, Usage};

use crate::error::{IoContext, Result};
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use oci_spec::runtime::LinuxResources;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// The groups of one container.
#[derive(Clone, Copy, Debug)]
pub struct Group<'a> {
    /// The hierarchies of this machine.
    pub hierarchies: &'a Hierarchies,
    /// Path below each hierarchy's root: `shanty/<id8>/<container>`.
    pub path: &'a Path,
}

/// Path of a container's group below a hierarchy's root.
pub fn container_path(root_id8: &str, id: &str) -> PathBuf {
    Path::new("shanty").join(root_id8).join(id)
}

/// Path of the group that the monitors of a root are in.
pub fn monitors_path(root_id8: &str) -> PathBuf {
    Path::new("shanty").join(root_id8).join("monitors")
}

impl Group<'_> {
    /// Makes the group of cgroup2 and opens it, to be born in; `None` on a machine without cgroup2.
    pub fn open_v2(&self) -> Result<Option<OwnedFd>> {
        let Some(unified) = &self.hierarchies.unified else { return Ok(None) };
        let dir = unified.create(self.path)?;
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        open(&dir, flags, Mode::empty()).doing(|| format!("cannot open `{}`", dir.display())).map(Some)
    }

    /// Makes a group of cgroup2 below this one and opens it, to be born in. Its controllers stay the container's to hand
    /// down. `None` on a machine without cgroup2.
    pub fn open_below(&self, name: &str) -> Result<Option<OwnedFd>> {
        let Some(unified) = &self.hierarchies.unified else { return Ok(None) };
        let dir = unified.dir(self.path).join(name);
        let doing = || format!("cannot open `{}`", dir.display());
        make_dir(&dir).doing(doing)?;
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        open(&dir, flags, Mode::empty()).doing(doing).map(Some)
    }

    /// Makes the groups of cgroup v1, sets the limits everywhere, and moves this process in. Returns
    /// warnings. The group of cgroup2 is there already, and this process was born in it.
    ///
    /// Fails with `unsupported` when a limit needs a controller that this machine lacks.
    pub fn enter(&self, resources: Option<&LinuxResources>) -> Result<Vec<String>> {
        for hierarchy in &self.hierarchies.v1 {
            hierarchy.create(self.path)?;
        }
        let mut warnings = Vec::new();
        if let Some(resources) = resources {
            warnings.extend(limits::apply(self, resources)?);
            warnings.extend(devices::apply(self, resources.devices().as_deref().unwrap_or_default())?);
        }
        self.enter_v1()?;
        Ok(warnings)
    }

    /// Changes the limits that are given; the processes in the group have them at once. Returns warnings.
    ///
    /// Fails with `conflict` when they use more than they are to have.
    pub fn update(&self, resources: &LinuxResources) -> Result<Vec<String>> {
        limits::check_usage(self, resources)?;
        limits::apply(self, resources)
    }

    /// Moves this process into the groups of cgroup v1.
    pub fn enter_v1(&self) -> Result<()> {
        for hierarchy in &self.hierarchies.v1 {
            // A parent that wrote the pid to `cgroup.procs` would wait for an RCU grace period, 5 to
            // 12 ms; a single thread that moves itself does not.
            write(&hierarchy.dir(self.path).join("tasks"), "0")?;
        }
        Ok(())
    }

    /// Opens the groups of cgroup v1 for a process that will move itself in when it cannot reach them any more: the kernel
    /// asks who opened the file.
    pub fn open_v1(&self) -> Result<Vec<File>> {
        let open = |hierarchy: &Hierarchy| {
            let path = hierarchy.dir(self.path).join("tasks");
            std::fs::OpenOptions::new().write(true).open(&path).doing(|| format!("cannot open `{}`", path.display()))
        };
        self.hierarchies.v1.iter().map(open).collect()
    }

    /// How often the kernel has killed a process of the group for want of memory.
    pub fn oom_kills(&self) -> u64 {
        let file = match self.hierarchies.of("memory") {
            Some(memory) if memory.is_v2() => memory.dir(self.path).join("memory.events"),
            Some(memory) => memory.dir(self.path).join("memory.oom_control"),
            None => return 0,
        };
        let text = std::fs::read_to_string(file).unwrap_or_default();
        text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok()).unwrap_or(0)
    }
}

/// Writes a control file, which exists already.
fn write(path: &Path, value: &str) -> Result<()> {
    try_write(path, value).doing(|| format!("cannot write `{value}` to `{}`", path.display()))
}

fn try_write(path: &Path, value: &str) -> std::io::Result<()> {
    std::fs::OpenOptions::new().write(true).open(path)?.write_all(value.as_bytes())
}

/// Makes a directory; it may be there already. Tells whether it was made now.
fn make_dir(dir: &Path) -> std::io::Result<bool> {
    match std::fs::create_dir(dir) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}
