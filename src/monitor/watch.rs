//! The life of a monitor while its container runs: one loop over everything that can happen.

use super::cleanup::Remains;
use super::client::Client;
use super::execution::Execution;
use super::handshake::{Running, now};
use crate::runtime::control::Channel;
use crate::runtime::control::protocol::{Command, Event};
use crate::runtime::network::{NetworkPlan, proxy};
use crate::runtime::state::Phase;
use crate::sys::{allocator, fd_passing, niceness, pidfd};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// A container that lives longer than this is not a short command: worth moving its monitor.
const SETTLED: Duration = Duration::from_millis(50);

/// Longer stop timeouts are as good as none, and would overflow the clock.
const LONGEST_PATIENCE: Duration = Duration::from_secs(366 * 24 * 3600);

/// Looks after a running container to its end and takes its remains away; returns the exit code, or
/// does not return: the clean-up of `remove` is this process as another program.
pub fn run(running: Running, remains: Remains, caller: Channel) -> i32 {
    // Before anything is waited for: a child that ends from now on leaves a signal to be read.
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGCHLD);
    let _ = sigprocmask(SigmaskHow::SIG_BLOCK, Some(&mask), None);
    let signals = SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK).ok();
    let caller = Client { waits: true, ..Client::new(caller) };
    let mut monitor = Monitor {
        running,
        remains,
        signals,
        clients: vec![caller],
        kill_at: None,
        settle_at: Some(Instant::now() + SETTLED),
        proxy: None,
    };
    // What came together with `go` is in memory, where poll(2) does not see it.
    monitor.serve(0);
    monitor.watch();
    monitor.end()
}

struct Monitor {
    running: Running,
    remains: Remains,
    signals: Option<SignalFd>,
    clients: Vec<Client>,
    /// When a stop becomes a kill.
    kill_at: Option<Instant>,
    /// When to move out of the caller's control groups.
    settle_at: Option<Instant>,
    /// Serves the published ports where the packet filter does not.
    proxy: Option<Pid>,
}

/// What a descriptor in the poll set stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Child,
    Launcher,
    Control,
    Output(usize),
    Port,
    Client(usize),
    Report(usize),
}

impl Monitor {
    /// Until the container has ended.
    fn watch(&mut self) {
        loop {
            // First, and after every turn: a child may have ended before its signal could be seen.
            if self.reap() {
                return;
            }
            for source in self.wait() {
                self.handle(source);
            }
            self.look_at_the_clock();
            self.clients.retain(|client| !client.is_over());
        }
    }

    fn wait(&self) -> Vec<Source> {
        let (sources, mut fds): (Vec<Source>, Vec<PollFd<'_>>) =
            self.sources().map(|(source, fd)| (source, PollFd::new(fd, PollFlags::POLLIN))).unzip();
        let next = [self.kill_at, self.settle_at].into_iter().flatten().min();
        let timeout = next.map_or(PollTimeout::NONE, |at| {
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
        let running = &self.running;
        let outputs = running.log.iter().flat_map(|(_, outputs)| outputs.iter().enumerate());
        let ports = running.ports.iter().filter(|_| self.proxy.is_none());
        let clients = self.clients.iter().enumerate();
        let signals = self.signals.iter().map(|signals| (Source::Child, signals.as_fd()));
        signals
            .chain([(Source::Child, running.init.pidfd.as_fd()), (Source::Control, running.control.as_fd())])
            .chain(running.launcher.iter().map(|launcher| (Source::Launcher, launcher.as_fd())))
            .chain(outputs.filter_map(|(index, output)| Some((Source::Output(index), output.fd()?))))
            .chain(ports.map(|port| (Source::Port, port.as_fd())))
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
                self.running.launcher = None;
                self.kill_container(libc::SIGKILL);
            }
            Source::Control => self.accept(),
            Source::Output(index) => {
                if let Some((log, outputs)) = &mut self.running.log {
                    outputs[index].read_into(log);
                }
            }
            Source::Port => self.start_proxy(),
            Source::Client(index) => self.serve(index),
            Source::Report(index) => self.executed(index, false),
        }
    }

    fn accept(&mut self) {
        while let Ok(socket) = fd_passing::accept(&self.running.control) {
            self.clients.push(Client::new(Channel::new(socket)));
        }
    }

    fn serve(&mut self, index: usize) {
        if self.clients[index].channel.fill().is_err() {
            self.clients[index].channel.end();
        }
        while let Some(command) = self.clients[index].next_command() {
            self.obey(index, command);
        }
        let client = &self.clients[index];
        if client.channel.has_ended()
            && let Some(execution) = &client.execution
        {
            execution.hang_up();
        }
    }

    fn obey(&mut self, index: usize, command: Command) {
        match command {
            Command::Wait => self.clients[index].waits = true,
            Command::Signal { number } => {
                let event = match pidfd::send_signal(&self.running.init.pidfd, number) {
                    Ok(()) | Err(Errno::ESRCH) => Event::Done,
                    Err(errno) => Event::Refused { message: format!("cannot send signal {number}: {}", errno.desc()) },
                };
                self.clients[index].tell(event);
            }
            Command::Stop { timeout } => {
                self.clients[index].waits = true;
                let timeout = timeout.unwrap_or(self.running.launch.stop_timeout);
                self.kill_container(self.running.launch.stop_signal);
                let kill_at = Instant::now() + timeout.min(LONGEST_PATIENCE);
                self.kill_at = Some(self.kill_at.map_or(kill_at, |earlier| earlier.min(kill_at)));
            }
            Command::Exec { exec } => {
                let stdio = self.clients[index].channel.take_fds();
                let running = &self.running;
                let warnings = &running.state.warnings;
                let init = running.init.pidfd.as_fd();
                match Execution::start(&exec, stdio, &running.launch, self.remains.group(), init, warnings) {
                    Ok(execution) => self.clients[index].execution = Some(execution),
                    Err(error) => self.clients[index].tell(Event::Refused { message: error.message() }),
                }
            }
            Command::Status => {
                self.clients[index].tell(Event::Status { state: Box::new(self.running.state.clone()) });
            }
            Command::OutliveLauncher => {
                self.running.launcher = None;
                self.clients[index].tell(Event::Done);
            }
            Command::Launch { .. } | Command::Go => {
                self.clients[index].tell(Event::Refused { message: "the container runs already".to_owned() });
            }
        }
    }

    /// An exec has come to its program, or has failed before.
    fn executed(&mut self, index: usize, ended: bool) {
        let client = &mut self.clients[index];
        let Some(execution) = &mut client.execution else { return };
        let event = match execution.take_report(ended) {
            None => return,
            Some(Ok(())) => {
                Event::Started { pid: execution.pid(), start_time: execution.start_time(), warnings: Vec::new() }
            }
            Some(Err(failure)) => {
                // Its process ends by itself, and is reaped as one that nobody waits for.
                client.execution = None;
                Event::Failed { failure }
            }
        };
        client.tell(event);
    }

    /// Reaps what has ended; tells whether the container has.
    fn reap(&mut self) -> bool {
        let mut ended = None;
        loop {
            let (pid, code) = match waitpid(Pid::from_raw(-1), Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) => (pid, code),
                Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, 128 + signal as i32),
                Err(Errno::EINTR) | Ok(WaitStatus::Stopped(..) | WaitStatus::Continued(_)) => continue,
                _ => break,
            };
            if pid.as_raw() == self.running.init.pid {
                ended = Some(code);
            } else if self.proxy == Some(pid) {
                self.proxy = None;
            } else {
                self.execution_ended(pid.as_raw(), code);
            }
        }
        if let Some(code) = ended {
            self.container_ended(code);
        }
        ended.is_some()
    }

    fn execution_ended(&mut self, pid: i32, code: i32) {
        let of = |client: &Client| client.execution.as_ref().is_some_and(|execution| execution.pid() == pid);
        let Some(index) = self.clients.iter().position(of) else { return };
        // It may have ended before its report was read, and the answers have an order.
        self.executed(index, true);
        let client = &mut self.clients[index];
        if client.execution.take().is_some() {
            client.tell(Event::Exited { code, oom_killed: false });
        }
    }

    /// Writes down how it ended and answers everybody who waits. Nothing that can wait comes before.
    fn container_ended(&mut self, code: i32) {
        self.remains.init_ended();
        if let Some((log, outputs)) = &mut self.running.log {
            for output in outputs {
                output.drain_into(log);
            }
        }
        let killed = code == 128 + libc::SIGKILL;
        let state = &mut self.running.state;
        state.phase = Phase::Exited;
        state.process = None;
        state.finished = Some(now());
        state.exit_code = Some(code);
        state.oom_killed = killed && self.remains.group().oom_kills() > 0;
        // On a full disk the file still says `running`, and a dead monitor makes that an end with 137.
        let _ = state.write(&self.running.launch.container_dir);
        let exited = Event::Exited { code, oom_killed: self.running.state.oom_killed };
        // The ports are free before anybody knows of the end, who may want them for the next container.
        self.running.ports.clear();
        if let Some(proxy) = self.proxy.take() {
            let _ = kill(proxy, Signal::SIGKILL);
        }
        // Also who has just connected is owed an answer.
        self.accept();
        for index in 0..self.clients.len() {
            self.serve_last(index, &exited);
        }
        // The caller goes on now, perhaps with the next container: what is left to do is not urgent.
        niceness::lowest();
    }

    fn serve_last(&mut self, index: usize, exited: &Event) {
        let client = &mut self.clients[index];
        if client.channel.fill().is_err() {
            return;
        }
        while let Some(command) = client.next_command() {
            match command {
                Command::Wait | Command::Stop { .. } => client.waits = true,
                Command::Status => client.tell(Event::Status { state: Box::new(self.running.state.clone()) }),
                _ => client.tell(Event::Refused { message: "the container has ended".to_owned() }),
            }
        }
        if client.waits {
            client.tell(exited.clone());
        }
    }

    fn look_at_the_clock(&mut self) {
        let now = Instant::now();
        if self.kill_at.is_some_and(|at| now >= at) {
            self.kill_at = None;
            self.kill_container(libc::SIGKILL);
        }
        if self.settle_at.is_some_and(|at| now >= at) {
            self.settle_at = None;
            self.remains.leave_callers_groups();
            allocator::trim();
        }
    }

    fn kill_container(&self, signal: i32) {
        // ESRCH: it has ended, and is reaped in the next turn.
        let _ = pidfd::send_signal(&self.running.init.pidfd, signal);
    }

    fn start_proxy(&mut self) {
        let NetworkPlan::Bridge(plan) = &self.running.launch.network else { return };
        let sockets: Vec<_> = self.running.ports.iter().map(AsFd::as_fd).collect();
        match proxy::start(plan.ip, &plan.ports, &sockets) {
            Ok(pid) => self.proxy = Some(pid),
            // Watching on would find the same connection again and again: rather serve none.
            Err(_) => self.running.ports.clear(),
        }
    }

    /// After the last answer: what takes its time.
    fn end(mut self) -> i32 {
        self.clients.clear();
        if let Some(proxy) = self.proxy {
            let _ = kill(proxy, Signal::SIGKILL);
            let _ = waitpid(proxy, None);
        }
        self.running.ports.clear();
        self.remains.take_away();
        if self.running.launch.remove {
            // This process becomes the cleaner: its lock goes at the exec.
            return super::clean_up_after_removal(&self.running.launch);
        }
        0
    }
}
