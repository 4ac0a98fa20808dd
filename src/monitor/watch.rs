//! The life of a monitor while its container lives: one loop over everything that can happen.

use super::check::Check;
use super::children::Strays;
use super::cleanup::Remains;
use super::client::Client;
use super::events::Pending;
use super::handshake::Container;
use super::owners::Owners;
use super::pause::Freezing;
use super::restart::Restarts;
use super::timers::Timers;
use crate::runtime::cgroup::OomWatch;
use crate::runtime::control::Channel;
use crate::runtime::report::Incoming;
use crate::sys::allocator;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// A container that lives longer than this is not a short command: worth moving its monitor.
const SETTLED: Duration = Duration::from_millis(50);

/// Looks after a running container to its end and takes its remains away; returns the exit code, or
/// does not return: the clean-up of `remove` is this process as another program.
pub fn run(container: Container, remains: Remains, caller: Channel) -> i32 {
    // Before anything is waited for: a child that ends from now on leaves a signal to be read.
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGCHLD);
    let _ = sigprocmask(SigmaskHow::SIG_BLOCK, Some(&mask), None);
    let signals = SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK).ok();
    let caller = Client { waits: true, ..Client::new(caller) };
    let mut monitor = Monitor {
        restarts: Restarts::new(&container.launch),
        container,
        remains,
        signals,
        clients: vec![caller],
        timers: Timers { settle: Some(Timers::after(SETTLED)), ..Timers::default() },
        life: Life::Running,
        birth: None,
        check: None,
        oom_watch: None,
        victims: 0,
        proxy: None,
        resolver: None,
        events: Pending::default(),
        strays: Strays::default(),
    };
    monitor.started();
    // What came together with `go` is in memory, where poll(2) does not see it.
    monitor.serve(0);
    monitor.begin_checks();
    monitor.watch();
    monitor.end()
}

/// Everything that a monitor knows. What it does is in the files beside this one: [`super::requests`],
/// [`super::children`], [`super::ending`], [`super::stop`], [`super::pause`], [`super::restart`].
pub(super) struct Monitor {
    pub container: Container,
    pub remains: Remains,
    pub signals: Option<SignalFd>,
    pub clients: Vec<Client>,
    pub timers: Timers,
    pub life: Life,
    pub restarts: Restarts,
    /// What a first process that is made anew says on its way to its program.
    pub birth: Option<Incoming>,
    /// The health check that runs.
    pub check: Option<Check>,
    pub oom_watch: Option<OomWatch>,
    /// How many processes had been killed for want of memory at the last look.
    pub victims: u64,
    /// Serves the published ports where the packet filter does not.
    pub proxy: Option<Pid>,
    /// Answers the container's questions for names, once it has asked one.
    pub resolver: Option<Pid>,
    /// What is to be written down as events.
    pub events: Pending,
    /// Of another runtime: programs that ended before they were known.
    pub strays: Strays,
}

/// Where the container is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// Its program runs.
    Running,
    /// Its processes are being frozen: not all of them stand still yet.
    Freezing(Freezing),
    /// None of its processes runs on.
    Paused,
    /// Its program has ended, and is to be started again.
    Waiting,
    /// It is being started again: its program has not been executed yet.
    Starting,
    /// Its program has ended, and will not be started again.
    Ended,
}

/// What a descriptor in the poll set stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Child,
    Birth,
    Check,
    CheckReport,
    Memory,
    Launcher,
    Control,
    Output(usize),
    Port,
    Question,
    /// What listens to changes of owners comes in.
    Listener,
    /// An owner is changed.
    Change(usize),
    Client(usize),
    Report(usize),
}

impl Monitor {
    /// Until the container has ended.
    fn watch(&mut self) {
        loop {
            // First, and after every turn: a child may have ended before its signal could be seen.
            self.reap();
            if self.life == Life::Ended {
                return;
            }
            // Whatever was to be answered has been.
            self.write_events();
            for source in self.wait() {
                self.handle(source);
            }
            self.look_at_the_clock();
            self.forget_clients();
        }
    }

    fn wait(&self) -> Vec<Source> {
        let (mut sources, mut fds): (Vec<Source>, Vec<PollFd<'_>>) =
            self.sources().map(|(source, fd)| (source, PollFd::new(fd, PollFlags::POLLIN))).unzip();
        if let Some(watch) = &self.oom_watch {
            let (fd, flags) = watch.poll_fd();
            sources.push(Source::Memory);
            fds.push(PollFd::new(fd, flags));
        }
        let timeout = self.timers.next().map_or(PollTimeout::NONE, |at| {
            // Rounded up: rounding down would spin for the last millisecond.
            let left = at.saturating_duration_since(Instant::now()) + Duration::from_micros(999);
            PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
        });
        match poll(&mut fds, timeout) {
            Ok(_) => {}
            // Nothing else can fail that another turn would not repeat: look at the children, at least.
            Err(Errno::EINTR) => return Vec::new(),
            Err(_) => return vec![Source::Child],
        }
        sources.into_iter().zip(&fds).filter(|(_, fd)| fd.any() == Some(true)).map(|(source, _)| source).collect()
    }

    fn sources(&self) -> impl Iterator<Item = (Source, BorrowedFd<'_>)> {
        let container = &self.container;
        let log = container.log.iter().filter(|_| !self.somebody_is_behind());
        let outputs = log.flat_map(|(_, outputs)| outputs.iter().enumerate());
        let ports = container.ports.iter().filter(|_| self.proxy.is_none());
        let questions = container.questions.iter().filter(|_| self.resolver.is_none());
        let owners = container.owners.iter();
        let clients = self.clients.iter().enumerate();
        let signals = self.signals.iter().map(|signals| (Source::Child, signals.as_fd()));
        signals
            .chain(container.init.iter().map(|init| (Source::Child, init.pidfd.as_fd())))
            .chain(self.birth.iter().map(|birth| (Source::Birth, birth.as_fd())))
            .chain(self.check.iter().filter_map(|check| Some((Source::Check, check.output_fd()?))))
            .chain(self.check.iter().filter_map(|check| Some((Source::CheckReport, check.execution.report_fd()?))))
            .chain([(Source::Control, container.control.as_fd())])
            .chain(container.launcher.iter().map(|launcher| (Source::Launcher, launcher.as_fd())))
            .chain(outputs.filter_map(|(index, output)| Some((Source::Output(index), output.fd()?))))
            .chain(ports.map(|port| (Source::Port, port.as_fd())))
            .chain(owners.clone().map(|owners| (Source::Listener, owners.inbox())))
            .chain(owners.flat_map(Owners::unserved).map(|(index, fd)| (Source::Change(index), fd)))
            .chain(questions.map(|socket| (Source::Question, socket.as_fd())))
            .chain(
                clients
                    .clone()
                    .filter(|(_, client)| !client.channel.has_ended())
                    .map(|(index, client)| (Source::Client(index), client.channel.as_fd())),
            )
            .chain(
                clients.filter_map(|(index, client)| {
                    Some((Source::Report(index), client.execution.as_ref()?.report_fd()?))
                }),
            )
    }

    fn handle(&mut self, source: Source) {
        match source {
            Source::Child => {
                // Only a reason to look: several children may share one signal.
                if let Some(signals) = &self.signals {
                    while let Ok(Some(_)) = signals.read_signal() {}
                }
            }
            Source::Launcher => {
                self.container.launcher = None;
                self.end_by_hand(libc::SIGKILL);
            }
            Source::Birth => self.look_at_the_birth(false),
            Source::Check => {
                if let Some(check) = &mut self.check {
                    check.read();
                }
            }
            Source::CheckReport => self.look_at_the_check(),
            Source::Memory => self.memory_is_short(),
            Source::Control => self.accept(),
            Source::Output(index) => self.read_output(index),
            Source::Port if self.proxy.is_none() => self.start_proxy(),
            Source::Question if self.resolver.is_none() => self.start_resolver(),
            Source::Port | Source::Question => {}
            Source::Listener => self.receive_listeners(),
            Source::Change(index) => self.answer_changes(index),
            Source::Client(index) => self.serve(index),
            Source::Report(index) => self.executed(index, false),
        }
    }

    fn look_at_the_clock(&mut self) {
        let now = Instant::now();
        if Timers::is_due(&mut self.timers.kill, now) {
            self.kill_container(libc::SIGKILL);
        }
        if Timers::is_due(&mut self.timers.freeze, now) {
            self.look_at_the_freezer();
        }
        if Timers::is_due(&mut self.timers.restart, now) {
            self.start_again();
        }
        if Timers::is_due(&mut self.timers.oom, now) {
            self.look_for_victims();
        }
        if Timers::is_due(&mut self.timers.next_check, now) {
            self.start_check();
        }
        if Timers::is_due(&mut self.timers.check_is_late, now) {
            self.kill_late_check();
        }
        if Timers::is_due(&mut self.timers.viewers, now) {
            self.look_at_viewers();
        }
        if Timers::is_due(&mut self.timers.trim, now) {
            allocator::trim();
        }
        if Timers::is_due(&mut self.timers.settle, now) {
            self.remains.leave_callers_groups();
            self.watch_memory();
            allocator::trim();
        }
    }

    /// After the last answer: what takes its time.
    fn end(mut self) -> i32 {
        self.clients.clear();
        self.stop_serving();
        self.stop_answering();
        self.remains.take_away();
        if self.container.launch.remove {
            // This process becomes the cleaner: its lock goes at the exec.
            return super::clean_up_after_removal(&self.container.launch);
        }
        0
    }
}
