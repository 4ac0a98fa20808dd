//! Which namespaces the first process of a container is in: new ones, those of other processes, and its parent's.

use super::report::Report;
use super::userns;
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::sys::clone::{self, Child};
use crate::sys::pidfd;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::stat::Mode;
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use oci_spec::runtime::{LinuxNamespaceType, Spec};
use std::collections::HashMap;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The namespaces of a specification: listed without a path they are new, with one they are joined, and those that are
/// not listed are the parent's (runtime-spec, config-linux.md).
#[derive(Debug)]
pub struct Namespaces {
    new: CloneFlags,
    joined: Vec<(CloneFlags, OwnedFd)>,
    /// The user namespace, when it is not the parent's: made before all others.
    user: Option<Arc<File>>,
    /// User namespaces that map the owners in one mount each, by its target.
    of_mounts: HashMap<PathBuf, File>,
}

impl Namespaces {
    /// Reads the list and opens those that are to be joined.
    ///
    /// # Errors
    /// `invalid` for a kind that is listed twice or a mount namespace that is not new, `not_found` when one to join is gone.
    pub fn of(spec: &Spec) -> Result<Self> {
        let listed = spec.linux().as_ref().and_then(|linux| linux.namespaces().as_deref()).unwrap_or_default();
        let mut namespaces =
            Self { new: CloneFlags::empty(), joined: Vec::new(), user: None, of_mounts: HashMap::new() };
        for namespace in listed {
            let name = namespace.typ().to_string();
            let flag = flag_of(namespace.typ())?;
            if namespaces.is_own(flag) {
                return Err(Error::invalid(format!("the namespace `{name}` is listed twice")));
            }
            match namespace.path().as_ref().filter(|path| !path.as_os_str().is_empty()) {
                None => namespaces.new |= flag,
                Some(path) => {
                    let opened = open(path.as_path(), OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty());
                    let file = match opened {
                        Err(Errno::ENOENT) => {
                            return Err(Error::not_found(format!("the {name} namespace `{}` is gone", path.display()))
                                .hint("whoever it belongs to has ended: start that first"));
                        }
                        other => other.doing(|| format!("cannot open the {name} namespace `{}`", path.display()))?,
                    };
                    if flag == CloneFlags::CLONE_NEWUSER {
                        namespaces.user = Some(Arc::new(file.into()));
                    } else {
                        namespaces.joined.push((flag, file));
                    }
                }
            }
        }
        if !namespaces.new.contains(CloneFlags::CLONE_NEWNS) {
            // The root is changed by pivot_root(2): in a shared namespace that would be everybody's.
            return Err(Error::invalid("a container needs a new mount namespace")
                .hint("list `{ \"type\": \"mount\" }` without a path in `linux.namespaces`"));
        }
        Ok(namespaces)
    }

    /// Joins this network namespace instead of a new one: that of its last run.
    pub fn join_network(&mut self, network: BorrowedFd<'_>) -> Result<()> {
        if self.is_new(CloneFlags::CLONE_NEWNET) {
            let network = network.try_clone_to_owned().doing(|| "cannot keep the network namespace")?;
            self.new.remove(CloneFlags::CLONE_NEWNET);
            self.joined.push((CloneFlags::CLONE_NEWNET, network));
        }
        Ok(())
    }

    /// Makes the user namespace, if there is to be a new one, or takes that of the last run. Gives it to be kept.
    ///
    /// Those that only map the owners in a mount are made here, too: in the init's pid namespace the `/proc` folder of
    /// who holds one would be somebody else's.
    pub fn make_user(&mut self, spec: &Spec, of_last_run: Option<Arc<File>>) -> Result<Option<Arc<File>>> {
        if self.is_new(CloneFlags::CLONE_NEWUSER) {
            self.user = Some(match of_last_run {
                Some(user) => user,
                None => Arc::new(userns::make(&userns::maps_of(spec))?),
            });
        }
        for mount in spec.mounts().iter().flatten() {
            if let Some(maps) = userns::maps_of_mount(mount) {
                let made = userns::make(&maps);
                let made = made.map_err(|error| error.context(format!("mapping `{}`", mount.destination().display())));
                self.of_mounts.insert(mount.destination().clone(), made?);
            }
        }
        Ok(self.user.clone())
    }

    /// The user namespace, when it is not the parent's.
    pub fn user(&self) -> Option<BorrowedFd<'_>> {
        self.user.as_ref().map(|user| user.as_fd())
    }

    /// The user namespace that maps the owners in the mount on `target`: its own, or the container's.
    pub fn user_of_mount(&self, target: &Path) -> Option<BorrowedFd<'_>> {
        self.of_mounts.get(target).map(AsFd::as_fd).or(self.user())
    }

    /// Whether the container is the only one in this kind of namespace at its start.
    pub fn is_new(&self, kind: CloneFlags) -> bool {
        self.new.contains(kind)
    }

    /// Whether it is not the parent's namespace.
    pub fn is_own(&self, kind: CloneFlags) -> bool {
        let joins_user = kind == CloneFlags::CLONE_NEWUSER && self.user.is_some();
        joins_user || self.is_new(kind) || self.joined.iter().any(|(flag, _)| *flag == kind)
    }

    /// Makes the first process, in the new namespaces. It calls [`Self::join`] and [`Self::unshare_cgroup`] itself.
    ///
    /// With a user namespace this is a process that prepares it: in a mount namespace of its own, with the host's
    /// rights. It calls [`Self::enter_user`], and the first process is a child of this one that it reports.
    ///
    /// Only for processes with one thread: see [`clone::spawn`].
    pub fn spawn(&self, cgroup: Option<BorrowedFd<'_>>, body: impl FnOnce() -> i32) -> Result<Child> {
        let doing = || "cannot make a process in new namespaces";
        if self.user.is_some() {
            return clone::spawn(CloneFlags::CLONE_NEWNS, cgroup, body).doing(doing);
        }
        let flags = self.new.difference(CloneFlags::CLONE_NEWCGROUP);
        match self.joined.iter().find(|(flag, _)| *flag == CloneFlags::CLONE_NEWPID) {
            None => clone::spawn(flags, cgroup, body).doing(doing),
            Some((_, pid_namespace)) => {
                spawn_in_pid_namespace(pid_namespace.as_fd(), || clone::spawn(flags, cgroup, body)).doing(doing)
            }
        }
    }

    /// The first process, when [`Self::spawn`] has made one that prepares it.
    pub fn first_process(&self, made: Child, report: &File) -> Result<Child> {
        if self.user.is_none() {
            return Ok(made);
        }
        let pid = Report::read_created(report);
        // It ends after its report, whatever that was.
        let _ = waitpid(Pid::from_raw(made.pid), None);
        let pid = pid?;
        Ok(Child { pid, pidfd: pidfd::open(pid).doing(|| "cannot hold the first process")? })
    }

    /// Enters the namespaces of others, which may belong to nobody inside, then the user namespace, and the new ones,
    /// which it owns; children of this process are in all of them.
    pub fn enter_user(&self, user: BorrowedFd<'_>) -> Result<()> {
        self.join()?;
        if let Some((flag, namespace)) = self.joined.iter().find(|(flag, _)| *flag == CloneFlags::CLONE_NEWPID) {
            setns(namespace, *flag).doing(|| "cannot join the pid namespace")?;
        }
        userns::enter(user)?;
        unshare(self.new.difference(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWCGROUP))
            .doing(|| "cannot make namespaces")?;
        self.unshare_cgroup()
    }

    /// Enters the namespaces of others; in the first process.
    pub fn join(&self) -> Result<()> {
        for (flag, namespace) in self.joined.iter().filter(|(flag, _)| *flag != CloneFlags::CLONE_NEWPID) {
            setns(namespace, *flag).map_err(|errno| {
                let kind = if errno == Errno::EPERM { ErrorKind::Denied } else { ErrorKind::Invalid };
                Error::new(kind, format!("cannot join the {} namespace: {}", name_of(*flag), errno.desc()))
            })?;
        }
        Ok(())
    }

    /// Makes the control group namespace, if there is to be one: its root is the group that the process is in now.
    pub fn unshare_cgroup(&self) -> Result<()> {
        if !self.is_new(CloneFlags::CLONE_NEWCGROUP) {
            return Ok(());
        }
        unshare(CloneFlags::CLONE_NEWCGROUP).doing(|| "cannot make a control group namespace")
    }
}

/// Makes a process in the pid namespace that `namespace` stands for, a namespace file or a pidfd of a process in it.
///
/// A process is in the pid namespace that its parent chose for its children (setns(2)): so the child itself is the
/// program, and nobody stands between it and this process.
pub fn spawn_in_pid_namespace(
    namespace: BorrowedFd<'_>,
    spawn: impl FnOnce() -> nix::Result<Child>,
) -> nix::Result<Child> {
    let own = File::open("/proc/self/ns/pid").map_err(|_| Errno::last())?;
    setns(namespace, CloneFlags::CLONE_NEWPID)?;
    let child = spawn();
    setns(own, CloneFlags::CLONE_NEWPID)?;
    child
}

/// Whether the end of the first process ends the others: by the specification alone, which may be of a container that ended.
pub fn has_own_pid_namespace(spec: &Spec) -> bool {
    let listed = spec.linux().as_ref().and_then(|linux| linux.namespaces().as_deref()).unwrap_or_default();
    let has_path = |path: &std::path::PathBuf| !path.as_os_str().is_empty();
    listed.iter().any(|it| it.typ() == LinuxNamespaceType::Pid && !it.path().as_ref().is_some_and(has_path))
}

fn flag_of(kind: LinuxNamespaceType) -> Result<CloneFlags> {
    Ok(match kind {
        LinuxNamespaceType::Mount => CloneFlags::CLONE_NEWNS,
        LinuxNamespaceType::Cgroup => CloneFlags::CLONE_NEWCGROUP,
        LinuxNamespaceType::Uts => CloneFlags::CLONE_NEWUTS,
        LinuxNamespaceType::Ipc => CloneFlags::CLONE_NEWIPC,
        LinuxNamespaceType::User => CloneFlags::CLONE_NEWUSER,
        LinuxNamespaceType::Pid => CloneFlags::CLONE_NEWPID,
        LinuxNamespaceType::Network => CloneFlags::CLONE_NEWNET,
        LinuxNamespaceType::Time => {
            return Err(
                Error::unsupported("time namespaces cannot be used").hint("leave `time` out of `linux.namespaces`")
            );
        }
    })
}

fn name_of(flag: CloneFlags) -> &'static str {
    match flag {
        CloneFlags::CLONE_NEWCGROUP => "cgroup",
        CloneFlags::CLONE_NEWUTS => "uts",
        CloneFlags::CLONE_NEWIPC => "ipc",
        CloneFlags::CLONE_NEWUSER => "user",
        CloneFlags::CLONE_NEWPID => "pid",
        CloneFlags::CLONE_NEWNET => "network",
        _ => "mount",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(namespaces: &str) -> Result<Namespaces> {
        let text = format!(r#"{{"ociVersion":"1.2.0","linux":{{"namespaces":[{namespaces}]}}}}"#);
        Namespaces::of(&serde_json::from_str(&text).unwrap())
    }

    #[test]
    fn listed_ones_are_new_or_joined_and_the_others_the_parents() {
        let namespaces = of(r#"{"type":"mount"},{"type":"pid"},{"type":"uts","path":"/proc/self/ns/uts"}"#).unwrap();
        assert!(namespaces.is_new(CloneFlags::CLONE_NEWPID) && namespaces.is_own(CloneFlags::CLONE_NEWUTS));
        assert!(!namespaces.is_new(CloneFlags::CLONE_NEWUTS) && !namespaces.is_own(CloneFlags::CLONE_NEWNET));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (list, kind, word) in [
            ("", ErrorKind::Invalid, "mount namespace"),
            (r#"{"type":"mount","path":"/proc/self/ns/mnt"}"#, ErrorKind::Invalid, "mount namespace"),
            (r#"{"type":"mount"},{"type":"pid"},{"type":"pid"}"#, ErrorKind::Invalid, "twice"),
            (r#"{"type":"mount"},{"type":"network","path":"/nowhere"}"#, ErrorKind::NotFound, "gone"),
            (r#"{"type":"mount"},{"type":"time"}"#, ErrorKind::Unsupported, "time"),
        ] {
            let error = of(list).unwrap_err();
            assert!(error.is(kind) && error.message().contains(word), "{list}: {error:?}");
        }
    }
}
