//! A further process of a running container: joins it, and becomes the program of an `exec`.

use super::bundle;
use super::cgroup::{Group, Hierarchies};
use super::control::protocol::{ExecRequest, Failure};
use super::init::step;
use super::program::{Overrides, Program};
use super::report::Reporter;
use super::rootfs::Root;
use super::terminal::Console;
use crate::error::{Error, IoContext, Result};
use crate::sys::capability::CapSet;
use crate::sys::clone::exit_now;
use nix::fcntl::{OFlag, open};
use nix::sched::{CloneFlags, setns};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout, setsid};
use oci_spec::runtime::Spec;
use std::borrow::Cow;
use std::convert::Infallible;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;

/// What a process of a running container is to run.
#[derive(Clone, Copy, Debug)]
pub enum Task<'a> {
    /// Something beside what the bundle in a directory describes; it dies with its parent.
    Beside(&'a ExecRequest, &'a Path),
    /// The process of this specification, with these descriptors beside the first three; it goes on by itself.
    Process(&'a Spec, &'a [RawFd]),
}

/// What the process inherits from its parent. It was born in the container's pid namespace.
#[derive(Debug)]
pub struct Exec<'a> {
    /// What to run.
    pub task: Task<'a>,
    /// The machine's control groups.
    pub hierarchies: &'a Hierarchies,
    /// Path of the container's group.
    pub group: &'a Path,
    /// The container's first process: whose namespaces to join.
    pub init: BorrowedFd<'a>,
    /// Input, output and error output.
    pub stdio: ExecStdio,
    /// Capabilities that the container must not have.
    pub take_away: CapSet,
    /// Where the failure goes. Closed by the exec.
    pub reporter: Reporter,
}

/// Input and output of an exec.
#[derive(Debug)]
pub enum ExecStdio {
    /// Input, output and error output.
    Descriptors([OwnedFd; 3]),
    /// A terminal of the container's.
    Terminal(Console),
}

impl ExecStdio {
    /// Out of what came with a request.
    pub fn new(request: &ExecRequest, fds: Vec<OwnedFd>) -> Result<Self> {
        let wrong = |count: usize| Error::invalid(format!("an exec came with {count} descriptors"));
        if request.tty {
            let [socket] = <[OwnedFd; 1]>::try_from(fds).map_err(|fds| wrong(fds.len()))?;
            return Ok(Self::Terminal(Console { socket, size: request.size }));
        }
        <[OwnedFd; 3]>::try_from(fds).map(Self::Descriptors).map_err(|fds| wrong(fds.len()))
    }
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
        let (spec, die_with, kept) = match self.task {
            Task::Beside(_, bundle_dir) => {
                let spec = step("reading the bundle", || bundle::read(bundle_dir))?;
                (Cow::Owned(spec), Some(Signal::SIGKILL), &[][..])
            }
            Task::Process(spec, kept) => (Cow::Borrowed(spec), None, kept),
        };
        let group = Group { hierarchies: self.hierarchies, path: self.group };
        step("entering the control groups", || group.enter_v1())?;
        step("entering the namespaces", || self.join())?;
        let program = step("reading the process", || self.program(&spec))?;
        let keep = [&[self.reporter.as_raw_fd()], kept].concat();
        step("preparing the program", || program.settle(&keep))?;
        self.reporter.executing();
        let error = program.execute(die_with);
        Err(Failure::of("executing the program", &error))
    }

    fn prepare(&self) -> Result<()> {
        let doing = || "cannot prepare the process";
        if matches!(self.task, Task::Beside(..)) {
            prctl::set_pdeathsig(Signal::SIGKILL).doing(doing)?;
        }
        // The container sees this process from the next step on: its root must not look into it
        // (CVE-2016-9962).
        prctl::set_dumpable(false).doing(doing)?;
        if let ExecStdio::Descriptors([input, output, error]) = &self.stdio {
            dup2_stdin(input).doing(doing)?;
            dup2_stdout(output).doing(doing)?;
            dup2_stderr(error).doing(doing)?;
        }
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

    fn program(&self, spec: &Spec) -> Result<Program> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let root = Root::new(open("/", flags, Mode::empty()).doing(|| "cannot open the container's root")?);
        if let ExecStdio::Terminal(console) = &self.stdio {
            console.open(&root, false)?;
        }
        let mut env = Vec::new();
        let overrides = match self.task {
            Task::Beside(request, _) => {
                if request.tty && !request.env.iter().any(|(name, _)| name == "TERM") {
                    env.push(("TERM".to_owned(), "xterm".to_owned()));
                }
                env.extend_from_slice(&request.env);
                Overrides {
                    argv: Some(&request.argv),
                    env: &env,
                    cwd: request.workdir.as_deref().map(Path::new),
                    user: request.user.as_deref(),
                }
            }
            Task::Process(..) => Overrides::default(),
        };
        Program::new(spec, &root, overrides, self.take_away)
    }
}
