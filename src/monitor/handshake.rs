//! From the launch message to the program: `prepared → go → started`.
//!
//! The end of the caller before `go` destroys what was made.

use super::ahead::Ahead;
use super::cleanup::Remains;
use super::input;
use super::log::Log;
use super::networks::open_resolver;
use super::output::Output;
use super::owners::Owners;
use super::stdio::Stdio;
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::model::Secret;
use crate::runtime::bundle;
use crate::runtime::control::protocol::{Command, Event, Failure, Request, SOCKET_NAME, answer};
use crate::runtime::control::{Channel, address_in};
use crate::runtime::external::{External, ExternalInit};
use crate::runtime::health::Health;
use crate::runtime::init::{Init, Rootfs};
use crate::runtime::launch::Launch;
use crate::runtime::namespaces::Namespaces;
use crate::runtime::report::{Report, Reporter};
use crate::runtime::state::{self, LOCK_NAME, Phase, State};
use crate::sys::clone::{self, Child};
use crate::sys::pidfd;
use crate::sys::process::{ProcessIdentity, boot_id, start_time};
use crate::sys::record_lock::RecordLock;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::CloneFlags;
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, bind, listen, socket};
use nix::sys::stat::Mode;
use nix::unistd::{getppid, pipe2, write};
use oci_spec::runtime::Spec;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

/// A container whose program was executed, and all that its monitor holds.
pub struct Container {
    /// What was asked for.
    pub launch: Launch,
    /// The first process, while it lives.
    pub init: Option<Child>,
    /// As it was written last.
    pub state: State,
    /// The log, and the pipes that go into it.
    pub log: Option<(Log, [Output; 2])>,
    /// The master of its terminal, when it has one.
    pub terminal: Option<OwnedFd>,
    /// Where that will come from while the program is being started.
    pub master: Option<OwnedFd>,
    /// The control socket.
    pub control: OwnedFd,
    /// Sockets that hold the published ports.
    pub ports: Vec<OwnedFd>,
    /// Sockets on which the container asks for names.
    pub questions: Vec<OwnedFd>,
    /// Changes of owners, when they are to be recorded.
    pub owners: Option<Owners>,
    /// Who launched it, when it is to die with them.
    pub launcher: Option<OwnedFd>,
}

/// Makes the container and executes its program.
pub fn start(channel: &mut Channel, group: &Path) -> Result<(Container, Remains, RecordLock), Failure> {
    let ahead = in_step("making the control groups", || Ahead::make(group))?;
    let (launch, lock) = match receive_launch(channel).and_then(|launch| take_lock(&launch).map(|lock| (launch, lock)))
    {
        Ok(ours) => ours,
        Err(error) => {
            // Nobody launches any more, or the container is gone again.
            ahead.undo();
            return Err(Failure::of("", &error));
        }
    };
    let fds = channel.take_fds();
    let mut remains = Remains::new(&launch, ahead.hierarchies);
    match make(channel, launch, fds, &mut remains) {
        Ok(container) => Ok((container, remains, lock)),
        Err(failure) => {
            remains.take_away();
            // Not before: whoever sees the container without a monitor may start it again.
            drop(lock);
            Err(failure)
        }
    }
}

/// The ends of the pipes that the monitor keeps while its child prepares itself.
pub(super) struct Pipes {
    pub go: OwnedFd,
    pub report: OwnedFd,
    pub outputs: Option<[Output; 2]>,
    pub master: Option<OwnedFd>,
}

fn make(
    channel: &mut Channel,
    launch: Launch,
    mut fds: Vec<OwnedFd>,
    remains: &mut Remains,
) -> Result<Container, Failure> {
    // First: with our lock held, what a monitor that was killed has written would be believed.
    let state = in_step("reading the last state", || first_state(&launch))?;
    let launcher = if launch.die_with_caller { launcher() } else { None };
    let ports = take_ports(&launch, &mut fds)?;
    let owners = in_step("making a socket", || Owners::of(&launch))?;
    let (init, pipes) =
        in_step("making the first process", || spawn_init(&launch, fds, remains, None, owners.as_ref()))?;
    if let Err(failure) = in_step("holding the mounts", || remains.hold(&init)) {
        // A child that has failed by now has no mounts any more: its report says why.
        let gone = !Path::new(&format!("/proc/{}/ns/mnt", init.pid)).exists();
        return Err(if gone { Report::read(pipes.report).failure.unwrap_or(failure) } else { failure });
    }
    let prepared = answer(Event::Prepared { pid: init.pid });
    in_step("answering", || channel.send_now(&prepared))?;

    // While the child mounts: what it does not need before its program.
    let control = in_step("making the control socket", || listen_for_commands(&launch))?;
    let log = match pipes.outputs {
        Some(outputs) => Some((in_step("opening the log", || Log::open(&launch.container_dir, launch.log))?, outputs)),
        None => None,
    };
    let connected = in_step("connecting the network", || {
        remains.attach_network(init.pid)?;
        remains.network().map_or(Ok(Vec::new()), |netns| open_resolver(&launch, netns.as_fd()))
    });
    let questions = match connected {
        Ok(questions) => questions,
        Err(failure) => {
            // A child that has failed meanwhile has no network any more: its report says why.
            let gone = !Path::new(&format!("/proc/{}/ns/net", init.pid)).exists();
            return Err(if gone { Report::read(pipes.report).failure.unwrap_or(failure) } else { failure });
        }
    };

    wait_for_go(channel, &init.pidfd)?;
    let identity = in_step("identifying the process", || {
        Ok(ProcessIdentity { boot_id: boot_id()?.to_owned(), pid: init.pid, start_time: start_time(init.pid)? })
    });
    // Fails when the child has ended already; its report says why.
    let _ = write(&pipes.go, b"g");
    let report = Report::read(pipes.report);
    if let Some(failure) = report.failure {
        return Err(failure);
    }
    let mut container = Container {
        launch,
        init: Some(init),
        state,
        log,
        terminal: None,
        master: pipes.master,
        control,
        ports,
        questions,
        owners,
        launcher,
    };
    in_step("taking the terminal over", || container.take_terminal())?;
    let identity = identity?;
    let state = &mut container.state;
    state.started = Some(now());
    state.process = Some(identity.clone());
    state.phase = Phase::Running;
    state.health = container.launch.health.as_ref().map(|_| Health::default());
    state.warnings.clone_from(&report.warnings);
    in_step("writing the state", || state.write(&container.launch.container_dir))?;
    let (warnings, made) = (report.warnings, report.made);
    let started = Event::Started { pid: identity.pid, start_time: identity.start_time, warnings, made };
    // A caller that went after `go` has got what it wanted: a running container.
    let _ = channel.send_now(&answer(started));
    Ok(container)
}

/// UTC nanoseconds.
pub fn now() -> i64 {
    // In range until the year 2262.
    i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX)
}

fn in_step<T>(name: &str, run: impl FnOnce() -> Result<T>) -> Result<T, Failure> {
    run().map_err(|error| Failure::of(name, &error))
}

fn receive_launch(channel: &mut Channel) -> Result<Launch> {
    loop {
        if let Some(line) = channel.next_line() {
            let request: Request = serde_json::from_slice(&line)
                .map_err(|error| Error::invalid(format!("the launch message cannot be read: {error}")))?;
            return match request.command {
                Command::Launch { launch } => Ok(*launch),
                other => Err(Error::invalid(format!("a monitor begins with a launch, not {other:?}"))),
            };
        }
        if channel.has_ended() {
            return Err(Error::new(ErrorKind::Cancelled, "the caller is gone"));
        }
        wait_readable(&[channel.as_fd()])?;
        channel.fill()?;
    }
}

fn take_lock(launch: &Launch) -> Result<RecordLock> {
    RecordLock::try_take(&launch.container_dir.join(LOCK_NAME))?.ok_or_else(|| {
        Error::conflict(format!("container `{}` has a monitor already", launch.id.short()))
            .hint("it runs, or is being cleaned up: look at its status")
    })
}

/// Who launched us; `None` when it is gone already, which the end of its connection says as well.
fn launcher() -> Option<OwnedFd> {
    let parent = getppid();
    let launcher = pidfd::open(parent.as_raw()).ok()?;
    // A parent that ended in between has been replaced by init.
    (getppid() == parent).then_some(launcher)
}

fn take_ports(launch: &Launch, fds: &mut Vec<OwnedFd>) -> Result<Vec<OwnedFd>, Failure> {
    let stdio = launch.stdio.descriptors();
    let published = launch.network.bridge().map_or(0, |plan| plan.ports.len());
    if fds.len() != stdio + published {
        let message = format!("the launch came with {} descriptors instead of {}", fds.len(), stdio + published);
        return Err(Failure::of("", &Error::invalid(message)));
    }
    Ok(fds.split_off(stdio))
}

/// Makes the first process, up to its wait for `go`: in a new network namespace, or in `network`.
pub(super) fn spawn_init(
    launch: &Launch,
    passed: Vec<OwnedFd>,
    remains: &mut Remains,
    network: Option<&Arc<File>>,
    owners: Option<&Owners>,
) -> Result<(Child, Pipes)> {
    let doing = || "cannot make a pipe";
    let (go_read, go) = pipe2(OFlag::O_CLOEXEC).doing(doing)?;
    let (report, report_write) = pipe2(OFlag::O_CLOEXEC).doing(doing)?;
    let Stdio { process: mut stdio, console, outputs, master } = Stdio::new(launch.stdio, passed, remains)?;
    if let Some(path) = &launch.input {
        stdio[0] = Some(input::open(path)?);
    }
    let mut spec = bundle::read(launch.bundle_dir())?;
    add_secrets(&mut spec, &launch.secret_env);
    if let Some(external) = External::of(launch) {
        remains.group().open_v2()?;
        let reporter = Reporter::new(report_write);
        let init = ExternalInit { external, launch, spec: &spec, stdio, console, network, go: go_read, reporter };
        let (child, report) = spawn_external(init, report)?;
        return Ok((child, Pipes { go, report, outputs, master }));
    }
    let mut namespaces = Namespaces::of(&spec)?;
    remains.user_namespace = namespaces.make_user(&spec, remains.user_namespace.take())?;
    let group = remains.group();
    let cgroup = group.open_v2()?;
    if let Some(network) = network {
        namespaces.join_network(network.as_fd())?;
    }
    let init = Init {
        spec: &spec,
        rootfs: Rootfs::Overlay(&launch.rootfs),
        namespaces: &namespaces,
        hierarchies: group.hierarchies,
        group: group.path,
        stdio,
        console,
        go: go_read,
        reporter: Reporter::new(report_write),
        tells_made: launch.tells_made,
        owners: owners.map(Owners::outbox),
        unattended: None,
    };
    // The child's ends go into the closure: in this process they are closed when it returns.
    let child = namespaces.spawn(cgroup.as_ref().map(AsFd::as_fd), move || init.run())?;
    let report = File::from(report);
    let child = namespaces.first_process(child, &report)?;
    Ok((child, Pipes { go, report: report.into(), outputs, master }))
}

/// What is in no file: the specification has it in this process and its child only.
fn add_secrets(spec: &mut Spec, env: &[(String, Secret)]) {
    let Some(process) = spec.process_mut().as_mut().filter(|_| !env.is_empty()) else { return };
    let mut lines = process.env().clone().unwrap_or_default();
    lines.retain(|line| !env.iter().any(|(name, _)| line.split('=').next() == Some(name)));
    lines.extend(env.iter().map(|(name, value)| format!("{name}={}", value.reveal())));
    process.set_env(Some(lines));
}

/// Lets another runtime make the first process. This waits for it: such a program takes some ten milliseconds.
fn spawn_external(init: ExternalInit<'_>, report: OwnedFd) -> Result<(Child, OwnedFd)> {
    clone::spawn(CloneFlags::CLONE_NEWNS, None, move || init.run()).doing(|| "cannot make a process")?;
    let report = File::from(report);
    let pid = Report::read_created(&report)?;
    let pidfd = pidfd::open(pid).doing(|| "cannot hold the first process")?;
    Ok((Child { pid, pidfd }, report.into()))
}

fn listen_for_commands(launch: &Launch) -> Result<OwnedFd> {
    let doing = || format!("cannot listen on `{}`", launch.run_dir.join(SOCKET_NAME).display());
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let dir = open(&launch.run_dir, flags, Mode::empty()).doing(doing)?;
    let kind = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let control = socket(AddressFamily::Unix, SockType::Stream, kind, None).doing(doing)?;
    let address = address_in(&dir).doing(doing)?;
    // Mode 0600 by our umask.
    match bind(control.as_raw_fd(), &address) {
        Ok(()) => {}
        Err(Errno::EADDRINUSE) => {
            // Of a monitor that was killed: we have its lock.
            std::fs::remove_file(launch.run_dir.join(SOCKET_NAME)).doing(doing)?;
            bind(control.as_raw_fd(), &address).doing(doing)?;
        }
        Err(errno) => return Err(errno).doing(doing),
    }
    listen(&control, Backlog::MAXCONN).doing(doing)?;
    Ok(control)
}

/// The state to go on from.
fn first_state(launch: &Launch) -> Result<State> {
    let first = State::new(launch.id.clone());
    let last = state::read_last(&launch.container_dir)?;
    if last.as_ref().is_some_and(State::is_alive) {
        // Written by a monitor that was killed: with our lock held it would be believed.
        first.write(&launch.container_dir)?;
    }
    Ok(first)
}

/// Returns at `go`, and also when the child has ended: its report says why then.
fn wait_for_go(channel: &mut Channel, child: &OwnedFd) -> Result<(), Failure> {
    let gone = || Failure::of("", &Error::new(ErrorKind::Cancelled, "the caller is gone"));
    loop {
        if let Some(line) = channel.next_line() {
            return match serde_json::from_slice(&line) {
                Ok(Request { command: Command::Go, .. }) => Ok(()),
                _ => Err(gone()),
            };
        }
        if channel.has_ended() {
            return Err(gone());
        }
        in_step("waiting for the caller", || wait_readable(&[channel.as_fd(), child.as_fd()]))?;
        if pidfd::has_ended(child) {
            return Ok(());
        }
        in_step("waiting for the caller", || channel.fill().map(drop))?;
    }
}

/// Returns when one is readable or hung up.
fn wait_readable(fds: &[BorrowedFd<'_>]) -> Result<()> {
    let mut fds: Vec<PollFd<'_>> = fds.iter().map(|fd| PollFd::new(*fd, PollFlags::POLLIN)).collect();
    loop {
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno).doing(|| "cannot wait"),
        }
    }
}
