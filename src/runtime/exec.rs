//! A further process of a running container: the program of an `exec`.
//!
//! Who joins a container holds what the container must not get: our memory, descriptors, all capabilities. A container
//! with `SYS_PTRACE` could take it over (CVE-2016-9962). So two processes do it: the first one joins everything but the
//! processes, where nobody in the container sees it, takes its rights away, and only then makes the second one, which is
//! born among them and executes the program at once.

use super::cgroup::{Group, Hierarchies};
use super::control::protocol::{ExecRequest, Failure};
use super::init::{set_oom_score, step};
use super::program::{Overrides, Program};
use super::report::Reporter;
use super::rootfs::Root;
use super::terminal::Console;
use super::{attributes, bundle, userns};
use crate::error::{Error, IoContext, Result};
use crate::sys::capability::CapSet;
use crate::sys::clone::{exit_now, spawn_filtered};
use crate::sys::pty;
use nix::fcntl::{OFlag, open};
use nix::sched::{CloneFlags, setns};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout, setsid};
use oci_spec::runtime::Spec;
use std::borrow::Cow;
use std::fs::File;
use std::io::Write;
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

/// What the first process inherits from its parent, who becomes the parent of the second as well.
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
    /// Where what listens to changes of owners goes, when they are to be recorded.
    pub owners: Option<BorrowedFd<'a>>,
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
    /// Makes the program's process and reports it, or reports why not; and ends.
    pub fn run(self) -> ! {
        // Descriptors are closed at once before the exec, under their owners: those must not run.
        let this = ManuallyDrop::new(self);
        let code = match this.start_program() {
            Ok(pid) => {
                this.reporter.created(pid);
                0
            }
            Err(failure) => {
                this.reporter.failure(&failure);
                failure.code.unwrap_or(1)
            }
        };
        exit_now(code)
    }

    /// Makes the process of the program; gives its pid.
    fn start_program(&self) -> Result<i32, Failure> {
        step("preparing the process", || self.prepare())?;
        let (spec, die_with, kept) = match self.task {
            Task::Beside(_, bundle_dir) => {
                let spec = step("reading the bundle", || bundle::read(bundle_dir))?;
                (Cow::Owned(spec), Some(Signal::SIGKILL), &[][..])
            }
            Task::Process(spec, kept) => (Cow::Borrowed(spec), None, kept),
        };
        let group = Group { hierarchies: self.hierarchies, path: self.group };
        let tasks = ManuallyDrop::new(step("opening the control groups", || group.open_v1())?);
        step("setting the preference of the OOM killer", || set_oom_score(&spec))?;
        for warning in step("setting the attributes of the process", || attributes::set(&spec))? {
            self.reporter.warning(&warning);
        }
        let user = userns::is_own(&spec);
        if user {
            step("raising limits", || userns::raise_limits(&spec))?;
            userns::give_stdio(&spec);
        }
        step("entering the namespaces", || self.join(user))?;
        let mut program = step("reading the process", || self.program(&spec))?;
        program.owners = self.owners.map(|socket| socket.as_raw_fd());
        let own = tasks.iter().map(AsRawFd::as_raw_fd).chain([self.reporter.as_raw_fd()]).chain(program.owners);
        let keep: Vec<_> = own.chain(kept.iter().copied()).collect();
        step("preparing the program", || program.settle(&keep))?;

        // A filter that forbids what is left to do can be loaded only after it, with the rights that this needs.
        let is_confined = program.lets_start();
        if is_confined {
            step("taking rights away", || program.drop_rights(die_with))?;
        }
        // A child of our parent, which waits for it (CLONE_PARENT), by clone(2), which filters let through.
        let made = spawn_filtered(CloneFlags::CLONE_PARENT, || {
            let failure = if let Err(error) = self.born(&tasks, die_with) {
                Failure::of("entering the control groups", &error)
            } else {
                self.reporter.executing();
                let error = if is_confined { program.exec() } else { program.execute(die_with) };
                Failure::of("executing the program", &error)
            };
            self.reporter.failure(&failure);
            failure.code.unwrap_or(1)
        });
        step("making the process of the program", || made.doing(|| "cannot make a process in the container"))
    }

    /// What the second process does before the program.
    fn born(&self, tasks: &[File], die_with: Option<Signal>) -> Result<()> {
        let doing = || "cannot prepare the process of the program";
        // Not inherited by a child (prctl(2)).
        prctl::set_pdeathsig(die_with).doing(doing)?;
        for mut tasks in tasks {
            tasks.write_all(b"0").doing(|| "cannot enter the container's control groups")?;
        }
        setsid().doing(doing)?;
        if matches!(self.stdio, ExecStdio::Terminal(_)) {
            pty::take_control(std::io::stdin()).doing(doing)?;
        }
        Ok(())
    }

    fn prepare(&self) -> Result<()> {
        let doing = || "cannot prepare the process";
        if matches!(self.task, Task::Beside(..)) {
            prctl::set_pdeathsig(Signal::SIGKILL).doing(doing)?;
        }
        prctl::set_dumpable(false).doing(doing)?;
        if let ExecStdio::Descriptors([input, output, error]) = &self.stdio {
            dup2_stdin(input).doing(doing)?;
            dup2_stdout(output).doing(doing)?;
            dup2_stderr(error).doing(doing)?;
        }
        Ok(())
    }

    /// Its processes are joined by the children of this one only (setns(2)).
    fn join(&self, user: bool) -> Result<()> {
        let mut all = CloneFlags::CLONE_NEWNS
            | CloneFlags::CLONE_NEWPID
            | CloneFlags::CLONE_NEWUTS
            | CloneFlags::CLONE_NEWIPC
            | CloneFlags::CLONE_NEWNET
            | CloneFlags::CLONE_NEWCGROUP;
        all.set(CloneFlags::CLONE_NEWUSER, user);
        setns(self.init, all).map_err(|errno| {
            Error::conflict(format!("cannot join the container: {}", errno.desc()))
                .hint("it may have ended just now: look at its status")
        })?;
        if user { userns::become_root() } else { Ok(()) }
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
