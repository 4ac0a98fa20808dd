//! `create`: makes a container of a bundle, up to its program.

use super::arguments::{Create, Options};
use super::bundle::Bundle;
use super::container::{Container, Record, START_SOCKET, Status, open_place, start_address, write_whole};
use super::delete;
use super::log::Log;
use super::stdio::{self, Stdio, Taken};
use crate::error::{IoContext, Result};
use crate::runtime::cgroup::{Group, Hierarchies};
use crate::runtime::init::{Init, Rootfs};
use crate::runtime::namespaces::Namespaces;
use crate::runtime::report::{Report, Reporter, Stage};
use crate::runtime::unattended::Unattended;
use crate::runtime::{bundle, capability, hooks, userns};
use crate::sys::capability as sys_capability;
use crate::sys::clone::Child;
use crate::sys::pidfd;
use crate::sys::process::{ProcessIdentity, boot_id, start_time};
use nix::fcntl::OFlag;
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, bind, listen, socket};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, Uid, User, pipe2, write};
use oci_spec::runtime::Hooks;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::path::Path;

/// A container that waits for its start.
pub struct Created {
    /// What is written down of it.
    pub container: Container,
    /// Its first process.
    pub init: Child,
    /// Where the master of its terminal comes from, when this process is at its other end.
    pub master: Option<OwnedFd>,
}

/// Makes it and goes.
pub fn run(options: &Options, create: &Create, log: &Log) -> Result<()> {
    make(options, create, false, log).map(drop)
}

/// Makes it; this process `stays` until it has ended, or not.
pub fn make(options: &Options, create: &Create, stays: bool, log: &Log) -> Result<Created> {
    let mut bundle = Bundle::read(options, &create.bundle, &create.id)?;
    let mut process = bundle.spec.process().clone().unwrap_or_default();
    let preserve = stdio::preserved(&mut process, create.preserve_fds)?;
    let stdio = Stdio::new(&process, create.console_socket.as_deref(), stays)?;
    bundle.spec.set_process(Some(process));
    // Relative paths of hooks' own files count from the bundle, as with runc.
    let pid_file =
        create.pid_file.as_deref().map(std::path::absolute).transpose().doing(|| "cannot find the pid file")?;
    let root = std::path::absolute(&options.root).doing(|| "cannot find `--root`")?;
    std::env::set_current_dir(&bundle.dir).doing(|| format!("cannot enter `{}`", bundle.dir.display()))?;

    let dir = Container::claim(&root, &create.id)?;
    let record = Record {
        id: create.id.clone(),
        bundle: bundle.dir.clone(),
        rootfs: bundle.rootfs.clone(),
        created: jiff::Timestamp::now().to_string(),
        owner: User::from_uid(Uid::current()).ok().flatten().map(|user| user.name).unwrap_or_default(),
        cgroup: bundle.cgroup.clone(),
        process: None,
        warnings: Vec::new(),
        annotations: bundle.spec.annotations().clone().unwrap_or_default().into_iter().collect(),
    };
    let mut container = Container { dir, record };
    match container.make(&bundle, stdio, create, preserve, pid_file.as_deref()) {
        Ok((init, master)) => {
            let missing = missing_capabilities(&bundle);
            for warning in missing.iter().chain(&bundle.warnings).chain(&container.record.warnings) {
                log.warning(warning);
            }
            Ok(Created { container, init, master })
        }
        Err(error) => {
            delete::take_away(&container, log);
            Err(error)
        }
    }
}

/// The specification: what cannot be granted is told, and the container is made all the same.
fn missing_capabilities(bundle: &Bundle) -> Option<String> {
    let process = bundle.spec.process().as_ref()?;
    let wanted = capability::set(process.capabilities().as_ref()?.bounding().as_ref()?);
    let available = (0..=sys_capability::LAST).filter(|number| sys_capability::in_bounding(*number) == Some(true));
    let missing = wanted & !available.fold(0, |set, number| set | 1 << number);
    let names: Vec<&str> = capability::names(missing).collect();
    (missing != 0)
        .then(|| format!("the container does not get {}: this machine's root has no such right", names.join(", ")))
}

impl Container {
    fn make(
        &mut self,
        bundle: &Bundle,
        stdio: Stdio,
        create: &Create,
        preserve: Vec<RawFd>,
        pid_file: Option<&Path>,
    ) -> Result<(Child, Option<OwnedFd>)> {
        let mut spec = bundle.spec.clone();
        let mut namespaces = Namespaces::of(&spec)?;
        namespaces.make_user(&spec, None)?;
        if let Some(user) = namespaces.user() {
            userns::complete_maps(&mut spec, user)?;
        }
        let spec = &spec;
        bundle::write(&self.dir, spec)?;
        self.save()?;
        let hierarchies = Hierarchies::discover()?;
        let group = Group { hierarchies: &hierarchies, path: &bundle.cgroup };
        let cgroup = group.open_v2()?;
        let Taken { descriptors: stdio, console, master } = stdio.take()?;
        let doing = || "cannot make a pipe";
        let (go_read, go) = pipe2(OFlag::O_CLOEXEC).doing(doing)?;
        let (report, report_write) = pipe2(OFlag::O_CLOEXEC).doing(doing)?;
        let unattended = Unattended {
            hooks: spec.hooks().as_ref(),
            state: self.state(Status::Creating),
            start: self.listen()?,
            preserve,
            no_pivot: create.no_pivot,
            no_new_keyring: create.no_new_keyring,
        };
        let init = Init {
            spec,
            rootfs: Rootfs::Directory(&bundle.rootfs),
            namespaces: &namespaces,
            hierarchies: &hierarchies,
            group: &bundle.cgroup,
            stdio,
            console,
            go: go_read,
            reporter: Reporter::new(report_write),
            tells_made: false,
            owners: None,
            unattended: Some(unattended),
        };
        // The child's ends go into the closure: in this process they are closed when it returns.
        let child = namespaces.spawn(cgroup.as_ref().map(AsFd::as_fd), move || init.run())?;
        let report = File::from(report);
        let child = namespaces.first_process(child, &report)?;
        match self.lead(&child, spec.hooks().as_ref(), &report, &go) {
            Ok(()) => {
                if let Some(pid_file) = pid_file {
                    write_whole(pid_file, child.pid.to_string().as_bytes())?;
                }
                Ok((child, master))
            }
            Err(error) => {
                // Whatever it waits for does not come any more.
                let _ = pidfd::send_signal(&child.pidfd, libc::SIGKILL);
                let _ = waitpid(Pid::from_raw(child.pid), None);
                Err(error)
            }
        }
    }

    /// From the birth of the first process to its wait for the start.
    fn lead(&mut self, child: &Child, hooks: Option<&Hooks>, report: &File, go: &OwnedFd) -> Result<()> {
        let start_time = start_time(child.pid)?;
        self.record.process = Some(ProcessIdentity { boot_id: boot_id()?.to_owned(), pid: child.pid, start_time });
        self.save()?;
        Report::read_until(report, Stage::Environment)?;
        let state = self.state(Status::Creating);
        hooks::run("prestart", hooks.and_then(|hooks| hooks.prestart().as_ref()), &state)?;
        hooks::run("createRuntime", hooks.and_then(|hooks| hooks.create_runtime().as_ref()), &state)?;
        // Fails when the process has ended, and its report says why.
        let _ = write(go, b"g");
        self.record.warnings = Report::read_until(report, Stage::Program)?;
        self.save()
    }

    fn listen(&self) -> Result<OwnedFd> {
        let doing = || format!("cannot listen on `{}`", self.dir.join(START_SOCKET).display());
        let start = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).doing(doing)?;
        bind(start.as_raw_fd(), &start_address(&open_place(&self.dir)?).doing(doing)?).doing(doing)?;
        listen(&start, Backlog::MAXCONN).doing(doing)?;
        Ok(start)
    }
}
