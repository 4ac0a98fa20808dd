//! The first process of a container, from its birth in new namespaces to its program.
//!
//! It reads top to bottom: what happens to a process on its way into a container is one sequence. All
//! mounts are made before the root is changed, on descriptors inside the new root.

use super::bundle::{self, INIT_ANNOTATION};
use super::cgroup::{Group, Hierarchies, NO_DEVICE_RULES};
use super::control::protocol::Failure;
use super::device_nodes::{self, Ahead};
use super::launch::RootfsPlan;
use super::mounts::{self, Shared};
use super::namespaces::Namespaces;
use super::overlay::Overlay;
use super::program::{Overrides, Program};
use super::report::{Reporter, Stage};
use super::rootfs::{Missing, Root};
use super::terminal::Console;
use super::unattended::Unattended;
use super::{attributes, capability, labels, masks, no_pivot, reaper, userns};
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::model::sysctl::{self, SysctlNamespace};
use crate::privilege::Privilege;
use crate::sys::clone::{self, exit_now};
use crate::sys::mount::{
    MountAttrs, Propagation, attach, clone_tree, make_root_private, pivot_into_working_directory, set_attributes,
};
use nix::fcntl::{AT_FDCWD, OFlag, open};
use nix::sched::CloneFlags;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, umask};
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};
use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout, fchdir, read, sethostname, setsid};
use oci_spec::runtime::{Linux, Spec};
use std::convert::Infallible;
use std::io::Write;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// The root file system of a container.
#[derive(Clone, Copy, Debug)]
pub enum Rootfs<'a> {
    /// Layers of an image, and where changes go.
    Overlay(&'a RootfsPlan),
    /// A directory of the host: `root.path` of a bundle.
    Directory(&'a Path),
}

/// What the first process inherits from its parent.
#[derive(Debug)]
pub struct Init<'a> {
    /// What to make.
    pub spec: &'a Spec,
    /// Its root.
    pub rootfs: Rootfs<'a>,
    /// Its namespaces, which it was born in as far as they are new.
    pub namespaces: &'a Namespaces,
    /// The machine's control groups.
    pub hierarchies: &'a Hierarchies,
    /// Path of the container's group.
    pub group: &'a Path,
    /// Its input, output and error output; no input: the container's `/dev/null`.
    pub stdio: [Option<OwnedFd>; 3],
    /// Instead of them: a terminal.
    pub console: Option<Console>,
    /// A byte comes when the program may be executed, an end when not.
    pub go: OwnedFd,
    /// Where warnings and the failure go. Closed by the exec.
    pub reporter: Reporter,
    /// Report what was made in the root for mounts to have a place.
    pub tells_made: bool,
    /// Where what listens to changes of owners goes, when they are to be recorded.
    pub owners: Option<BorrowedFd<'a>>,
    /// For one whose maker does not stay: it ends by itself, and somebody else starts its program.
    pub unattended: Option<Unattended<'a>>,
}

impl Init<'_> {
    /// Becomes the program, or reports why not and ends.
    pub fn run(self) -> ! {
        // Descriptors are closed at once before the exec, under their owners: those must not run.
        let this = ManuallyDrop::new(self);
        let Err(failure) = this.become_program();
        this.reporter.failure(&failure);
        exit_now(failure.code.unwrap_or(1))
    }

    fn become_program(&self) -> Result<Infallible, Failure> {
        let group = Group { hierarchies: self.hierarchies, path: self.group };
        let (spec, nothing) = (self.spec, Linux::default());
        let linux = spec.linux().as_ref().unwrap_or(&nothing);

        let asked = spec.mounts().as_deref().unwrap_or_default();
        let shared = step("opening shared mounts", || mounts::open_early(asked, self.namespaces))?;
        step("preparing the process", || self.prepare())?;
        step("setting the preference of the OOM killer", || set_oom_score(spec))?;
        let warnings = step("entering the control groups", || group.enter(linux.resources().as_ref()))?;
        if let Some(user) = self.namespaces.user() {
            return self.prepare_first_process(user, warnings, shared);
        }
        step("entering the namespaces", || {
            self.namespaces.join()?;
            self.namespaces.unshare_cgroup()
        })?;
        let root = step("mounting the root", || mount_root(self.rootfs))?;
        let devices = linux.devices().as_deref().unwrap_or_default();
        let nodes = step("opening devices", || {
            if Privilege::current().is_rootless() { device_nodes::of_host(devices) } else { Ok(Ahead::new()) }
        })?;
        self.furnish(ManuallyDrop::new(root), nodes, warnings, shared)
    }

    /// All that needs the host's rights; then the first process is made, in the user namespace and those it owns.
    fn prepare_first_process(
        &self,
        user: BorrowedFd<'_>,
        mut warnings: Vec<String>,
        mut shared: Shared,
    ) -> Result<Infallible, Failure> {
        let group = Group { hierarchies: self.hierarchies, path: self.group };
        step("opening the control groups", || mounts::open_groups(&group, &mut shared))?;
        let (root, nodes) = step("mounting the root", || userns::mount_root(self.rootfs, self.spec, user))?;
        step("raising limits", || userns::raise_limits(self.spec))?;
        userns::give_stdio(self.spec);
        warnings.extend(step("setting the attributes of the process", || attributes::set(self.spec))?);
        step("entering the namespaces", || self.namespaces.enter_user(user))?;
        // A child of our parent, which waits for it (CLONE_PARENT).
        let made = clone::spawn_filtered(CloneFlags::CLONE_PARENT, || {
            let Err(failure) = self.born_in_user_namespace(root, nodes, warnings, shared);
            self.reporter.failure(&failure);
            failure.code.unwrap_or(1)
        });
        let pid = step("making the first process", || made.doing(|| "cannot make a process in the user namespace"))?;
        self.reporter.created(pid);
        exit_now(0)
    }

    fn born_in_user_namespace(
        &self,
        root: OwnedFd,
        nodes: Ahead,
        warnings: Vec<String>,
        shared: Shared,
    ) -> Result<Infallible, Failure> {
        let root = step("attaching the root", || {
            self.stay_with_monitor()?;
            setsid().doing(|| "cannot make a session")?;
            let doing = || "cannot attach the root";
            // Its mount point, in the mount namespace that is ours now.
            let place = open(".", OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty()).doing(doing)?;
            attach(&root, &place).doing(doing)?;
            Ok(Root::new(root))
        })?;
        self.furnish(ManuallyDrop::new(root), nodes, warnings, shared)
    }

    /// From the bare root to the program.
    fn furnish(
        &self,
        root: ManuallyDrop<Root>,
        mut nodes: Ahead,
        mut warnings: Vec<String>,
        mut shared: Shared,
    ) -> Result<Infallible, Failure> {
        let group = Group { hierarchies: self.hierarchies, path: self.group };
        let (spec, nothing) = (self.spec, Linux::default());
        let linux = spec.linux().as_ref().unwrap_or(&nothing);
        let in_user_namespace = self.namespaces.user().is_some();
        // Without device rules a node that the image brings along would open the host's disks.
        let without_mknod = warnings.iter().any(|warning| warning.starts_with(NO_DEVICE_RULES));
        if without_mknod {
            step("taking devices away", || {
                set_attributes(&*root, MountAttrs::NO_DEV, None, false).doing(|| "cannot set the root to `nodev`")
            })?;
        }
        let label = labels::of_mounts(linux, &mut warnings);
        for mount in spec.mounts().iter().flatten() {
            step("mounting", || {
                mounts::mount(&root, mount, &group, &mut shared, label.as_deref(), self.mount_point())
            })?;
        }
        let made = root.take_made();
        step("making `/dev`", || {
            device_nodes::make(&root, linux.devices().as_deref().unwrap_or_default(), &mut nodes)
        })?;
        if let Some(unattended) = &self.unattended {
            step("waiting for the hooks", || {
                self.reporter.reached(Stage::Environment);
                self.wait_for_go()
            })?;
            step("executing the hooks", || unattended.create_container())?;
        }
        step("setting kernel parameters", || self.set_sysctls(&root, linux))?;
        step("hiding kernel files", || {
            masks::hide(&root, linux.masked_paths().as_deref().unwrap_or_default())?;
            masks::make_read_only(&root, linux.readonly_paths().as_deref().unwrap_or_default())
        })?;

        if let Some(console) = &self.console {
            step("opening the terminal", || console.open(&root, true).and_then(|()| console.take_control()))?;
        }

        let take_away = if without_mknod { capability::bit("MKNOD").unwrap_or(0) } else { 0 };
        let program = step("reading the process", || Program::new(spec, &root, Overrides::default(), take_away))?;
        step("making the working directory", || root.open_or_create(program.cwd(), Missing::Directory))?;
        if !in_user_namespace {
            warnings.extend(step("setting the attributes of the process", || attributes::set(spec))?);
        }
        step("changing the root", || self.enter_root(&root))?;
        step("naming the host", || self.set_names())?;
        step("opening the input", || self.open_input())?;
        for warning in &warnings {
            self.reporter.warning(warning);
        }
        if self.tells_made && !made.is_empty() {
            self.reporter.made(made);
        }
        let mut keep = vec![self.go.as_raw_fd(), self.reporter.as_raw_fd()];
        let mut program = program;
        program.owners = self.owners.map(|socket| socket.as_raw_fd());
        keep.extend(program.owners);
        if let Some(unattended) = &self.unattended {
            keep.extend(unattended.kept());
            program.new_keyring = !unattended.no_new_keyring;
        }
        step("preparing the program", || program.settle(&keep))?;
        if let Some(unattended) = &self.unattended {
            step("looking for the program", || program.look_up())?;
            self.reporter.reached(Stage::Program);
            unattended.become_program(&program);
        }
        step("waiting for the caller", || self.wait_for_go())?;
        self.reporter.executing();
        if bundle::annotation(spec, INIT_ANNOTATION).is_some() {
            return step("becoming the init", || reaper::run(&program, Some(Signal::SIGKILL), &self.reporter));
        }
        let error = program.execute(Some(Signal::SIGKILL));
        Err(Failure::of("executing the program", &error))
    }

    /// Where the root is mounted.
    fn mount_point(&self) -> &Path {
        match self.rootfs {
            Rootfs::Overlay(plan) => &plan.merged,
            Rootfs::Directory(path) => path,
        }
    }

    /// The monitor is all that can tell of our end: without it we go.
    fn stay_with_monitor(&self) -> Result<()> {
        if self.unattended.is_some() {
            return Ok(());
        }
        prctl::set_pdeathsig(Signal::SIGKILL).doing(|| "cannot set the parent death signal")
    }

    fn prepare(&self) -> Result<()> {
        self.stay_with_monitor()?;
        let doing = || "cannot take over input and output";
        if let Some(input) = &self.stdio[0] {
            dup2_stdin(input).doing(doing)?;
        }
        if let Some(output) = &self.stdio[1] {
            dup2_stdout(output).doing(doing)?;
        }
        if let Some(error) = &self.stdio[2] {
            dup2_stderr(error).doing(doing)?;
        }
        setsid().doing(|| "cannot make a session")?;
        // Modes of what is made are exactly those that are given; the program gets its own mask.
        umask(Mode::empty());
        make_root_private().doing(|| "cannot make the mounts private")
    }

    /// The container's own `/dev/null`, not a descriptor of the host's.
    fn open_input(&self) -> Result<()> {
        if self.stdio[0].is_some() || self.console.is_some() {
            return Ok(());
        }
        let doing = || "cannot open `/dev/null`";
        let null = open("/dev/null", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty()).doing(doing)?;
        dup2_stdin(null).doing(doing)
    }

    fn wait_for_go(&self) -> Result<()> {
        let mut byte = [0u8];
        match read(&self.go, &mut byte).doing(|| "cannot wait for the caller")? {
            1 => Ok(()),
            _ => Err(Error::new(ErrorKind::Cancelled, "the caller is gone")),
        }
    }

    fn set_names(&self) -> Result<()> {
        let named = |name: &Option<String>| name.clone().filter(|name| !name.is_empty());
        let (host, domain) = (named(self.spec.hostname()), named(self.spec.domainname()));
        if (host.is_some() || domain.is_some()) && !self.namespaces.is_own(CloneFlags::CLONE_NEWUTS) {
            return Err(Error::invalid("a host name needs a UTS namespace: it would be the host's own")
                .hint("leave `hostname` and `domainname` out"));
        }
        if let Some(name) = host {
            sethostname(&name).doing(|| format!("cannot set the host name `{name}`"))?;
        }
        if let Some(name) = domain {
            crate::sys::domain_name::set(&name).doing(|| format!("cannot set the domain name `{name}`"))?;
        }
        Ok(())
    }

    /// Kernel parameters of the container's own namespaces, through its `/proc`.
    fn set_sysctls(&self, root: &Root, linux: &Linux) -> Result<()> {
        for (name, value) in linux.sysctl().iter().flatten() {
            let (kind, of) = match sysctl::namespace(name)? {
                SysctlNamespace::Network => (CloneFlags::CLONE_NEWNET, "network"),
                SysctlNamespace::Ipc => (CloneFlags::CLONE_NEWIPC, "IPC"),
                SysctlNamespace::Uts => (CloneFlags::CLONE_NEWUTS, "UTS"),
            };
            if !self.namespaces.is_own(kind) {
                return Err(Error::invalid(format!(
                    "the kernel parameter `{name}` cannot be set in the host's {of} namespace"
                ))
                .hint(format!("leave it out, or give the container an own {of} namespace")));
            }
            let path = Path::new("/proc/sys").join(sysctl::path(name));
            let doing = || format!("cannot set the kernel parameter `{name}` to `{value}`");
            let file = root.open_without_links(&path, OFlag::O_WRONLY).doing(doing)?;
            // Not a file that somebody has mounted there (CVE-2025-52881).
            if fstatfs(&file).doing(doing)?.filesystem_type() != PROC_SUPER_MAGIC {
                return Err(Error::invalid(format!("{}: `{}` is not the kernel's", doing(), path.display()))
                    .hint("mount nothing over `/proc`"));
            }
            std::fs::File::from(file).write_all(value.as_bytes()).doing(doing)?;
        }
        Ok(())
    }

    fn enter_root(&self, root: &Root) -> Result<()> {
        let doing = || "cannot change the root";
        if self.spec.root().as_ref().and_then(oci_spec::runtime::Root::readonly) == Some(true) {
            set_attributes(root, MountAttrs::READ_ONLY, None, false).doing(doing)?;
        }
        fchdir(root).doing(doing)?;
        if self.unattended.as_ref().is_some_and(|unattended| unattended.no_pivot) {
            no_pivot::move_into_working_directory().doing(doing)?;
        } else {
            pivot_into_working_directory().doing(doing)?;
        }
        let propagation = match self.spec.linux().as_ref().and_then(|linux| linux.rootfs_propagation().as_deref()) {
            Some("shared" | "rshared") => Propagation::Shared,
            Some("unbindable" | "runbindable") => Propagation::Unbindable,
            // Cut off from the host, the root has nobody to be the slave of: mounts that were asked to spread do so.
            _ => return Ok(()),
        };
        set_attributes(root, MountAttrs::empty(), Some(propagation), false).doing(doing)
    }
}

/// Sets it on this process, when the specification says it.
pub(super) fn set_oom_score(spec: &Spec) -> Result<()> {
    let Some(score) = spec.process().as_ref().and_then(oci_spec::runtime::Process::oom_score_adj) else {
        return Ok(());
    };
    std::fs::write("/proc/self/oom_score_adj", score.to_string())
        .doing(|| format!("cannot set `oom_score_adj` to {score}"))
        .map_err(|error| error.hint("lowering it needs CAP_SYS_RESOURCE: choose a value that is not below the host's"))
}

/// Runs a step and names it in its failure.
pub fn step<T>(name: &str, run: impl FnOnce() -> Result<T>) -> Result<T, Failure> {
    run().map_err(|error| Failure::of(name, &error))
}

/// Mounts the root on its mount point, where nobody outside of this mount namespace sees it.
pub(super) fn mount_root(rootfs: Rootfs<'_>) -> Result<Root> {
    let (mount, place) = match rootfs {
        Rootfs::Overlay(plan) => {
            let overlay =
                Overlay { lower: &plan.layers, upper: Some((&plan.upper, &plan.work)), volatile: plan.volatile };
            (overlay.mount(MountAttrs::empty(), Some(&plan.merged))?, plan.merged.as_path())
        }
        Rootfs::Directory(path) => {
            let tree =
                clone_tree(AT_FDCWD, path, true).doing(|| format!("cannot mount the root `{}`", path.display()))?;
            (tree, path)
        }
    };
    let doing = || format!("cannot use `{}` as a mount point", place.display());
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let place = open(place, flags, Mode::empty()).doing(doing)?;
    attach(&mount, &place).doing(doing)?;
    Ok(Root::new(mount))
}
