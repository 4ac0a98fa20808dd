//! A further process of a running container: joins it, and becomes the program of an `exec`.

use super::bundle;
use super::cgroup::{Group, Hierarchies};
use super::control::protocol::{ExecRequest, Failure};
use super::init::step;
use super::program::{Overrides, Program};
use super::report::Reporter;
use super::rootfs::Root;
use crate::error::{Error, IoContext, Result};
use crate::sys::capability::CapSet;
use crate::sys::clone::exit_now;
use nix::fcntl::{OFlag, open};
use nix::sched::{CloneFlags, setns};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout, setsid};
use std::convert::Infallible;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// What the process inherits from the monitor. It was born in the container's pid namespace.
#[derive(Debug)]
pub struct Exec<'a> {
    /// What to run.
    pub request: &'a ExecRequest,
    /// Directory with the bundle.
    pub bundle_dir: &'a Path,
    /// The machine's control groups.
    pub hierarchies: &'a Hierarchies,
    /// Path of the container's group.
    pub group: &'a Path,
    /// The container's first process: whose namespaces to join.
    pub init: BorrowedFd<'a>,
    /// Input, output and error output.
    pub stdio: [OwnedFd; 3],
    /// Capabilities that the container must not have.
    pub take_away: CapSet,
    /// Where the failure goes. Closed by the exec.
    pub reporter: Reporter,
}

impl Exec<'_> {
    /// Becomes the program, or reports why not and ends.
    pub fn run(self) -> ! {
        // Descriptors are closed at once before the exec, under their owners: those must not run.
        let this = ManuallyDrop::new(self);
        let Err(failure) = this.become_program();
        this.reporter.failure(&failure);
        exit_now(failure.code.unwrap_or(1))
    }

    fn become_program(&self) -> Result<Infallible, Failure> {
        step("preparing the process", || self.prepare())?;
        let spec = step("reading the bundle", || bundle::read(self.bundle_dir))?;
        let group = Group { hierarchies: self.hierarchies, path: self.group };
        step("entering the control groups", || group.enter_v1())?;
        step("entering the namespaces", || self.join())?;
        let program = step("reading the process", || self.program(&spec))?;
        step("preparing the program", || program.settle(&[self.reporter.as_raw_fd()]))?;
        self.reporter.executing();
        let error = program.execute(Some(Signal::SIGKILL));
        Err(Failure::of("executing the program", &error))
    }

    fn prepare(&self) -> Result<()> {
        let doing = || "cannot prepare the process";
        prctl::set_pdeathsig(Signal::SIGKILL).doing(doing)?;
        // The container sees this process from the next step on: its root must not look into it
        // (CVE-2016-9962).
        prctl::set_dumpable(false).doing(doing)?;
        let [input, output, error] = &self.stdio;
        dup2_stdin(input).doing(doing)?;
        dup2_stdout(output).doing(doing)?;
        dup2_stderr(error).doing(doing)?;
        setsid().map(drop).doing(doing)
    }

    fn join(&self) -> Result<()> {
        let all = CloneFlags::CLONE_NEWNS
            | CloneFlags::CLONE_NEWUTS
            | CloneFlags::CLONE_NEWIPC
            | CloneFlags::CLONE_NEWNET
            | CloneFlags::CLONE_NEWCGROUP;
        setns(self.init, all).map_err(|errno| {
            Error::conflict(format!("cannot join the container: {}", errno.desc()))
                .hint("it may have ended just now: look at its status")
        })
    }

    fn program(&self, spec: &oci_spec::runtime::Spec) -> Result<Program> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let root = Root::new(open("/", flags, Mode::empty()).doing(|| "cannot open the container's root")?);
        let overrides = Overrides {
            argv: Some(&self.request.argv),
            env: &self.request.env,
            cwd: self.request.workdir.as_deref().map(Path::new),
            user: self.request.user.as_deref(),
        };
        Program::new(spec, &root, overrides, self.take_away)
    }
}
