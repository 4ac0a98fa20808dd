//! The processes that this monitor is the parent of: the container's first one, those of `exec`, those that serve its network.

use super::client::Client;
use super::execution::Execution;
use super::watch::Monitor;
use crate::model::Id;
use crate::runtime::control::protocol::Event;
use nix::errno::Errno;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::collections::VecDeque;

/// How processes ended that nobody knew at that moment: the program of an exec may end before its pid is told.
#[derive(Debug, Default)]
pub(super) struct Strays(VecDeque<(i32, i32)>);

impl Strays {
    /// More at once would have to end within the milliseconds that a runtime takes to tell a pid.
    const MOST: usize = 32;

    fn add(&mut self, pid: i32, code: i32) {
        self.0.push_back((pid, code));
        if self.0.len() > Self::MOST {
            self.0.pop_front();
        }
    }

    pub fn take(&mut self, pid: i32) -> Option<i32> {
        let index = self.0.iter().position(|(stray, _)| *stray == pid)?;
        self.0.remove(index).map(|(_, code)| code)
    }
}

impl Monitor {
    /// Reaps what has ended.
    pub fn reap(&mut self) {
        let mut ended = None;
        loop {
            let (pid, code) = match waitpid(Pid::from_raw(-1), Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) => (pid, code),
                Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, 128 + signal as i32),
                Err(Errno::EINTR) | Ok(WaitStatus::Stopped(..) | WaitStatus::Continued(_)) => continue,
                _ => break,
            };
            if self.container.init.as_ref().is_some_and(|init| init.pid == pid.as_raw()) {
                ended = Some(code);
            } else if self.proxy == Some(pid) {
                self.proxy = None;
            } else if self.resolver == Some(pid) {
                self.resolver = None;
            } else if self.answering_ended(pid, code) {
                // The next call brings another one.
            } else if !self.check_ended(pid.as_raw(), code) {
                self.execution_ended(pid.as_raw(), code);
            }
        }
        // Last: what has ended before it is told before it.
        if let Some(code) = ended {
            self.program_ended(code);
        }
    }

    /// An exec has come to its program, or has failed before.
    pub fn executed(&mut self, index: usize, ended: bool) {
        let client = &mut self.clients[index];
        let Some(execution) = &mut client.execution else { return };
        let (id, command) = execution.named();
        let event = match execution.take_report(ended) {
            None => return,
            Some(Ok(())) => Event::Started {
                pid: execution.pid(),
                start_time: execution.start_time(),
                warnings: Vec::new(),
                made: Vec::new(),
            },
            Some(Err(failure)) => {
                // Its process ends by itself, and is reaped as one that nobody waits for.
                client.execution = None;
                Event::Failed { failure }
            }
        };
        let failed_with = match &event {
            Event::Failed { failure } => failure.code,
            _ => None,
        };
        client.tell(event);
        let attributes = [("execID", id.as_str())];
        self.happened(format!("exec_create: {command}"), &attributes);
        self.happened(format!("exec_start: {command}"), &attributes);
        if let Some(code) = failed_with {
            self.execution_died(&id, code);
        }
        let program = self.clients[index].execution.as_ref().map(Execution::pid);
        if let Some(code) = program.and_then(|pid| self.strays.take(pid)) {
            self.tell_exit(index, code);
        }
    }

    fn execution_died(&mut self, id: &Id, code: i32) {
        self.happened("exec_die", &[("execID", id.as_str()), ("exitCode", &code.to_string())]);
    }

    fn tell_exit(&mut self, index: usize, code: i32) {
        let Some(execution) = self.clients[index].execution.take() else { return };
        let is_killed = code == 128 + libc::SIGKILL && self.container.launch.memory_is_limited;
        if is_killed {
            self.look_for_victims();
        }
        let oom_killed = is_killed && self.victims > execution.victims_before;
        self.clients[index].tell(Event::Exited { code, oom_killed });
        self.execution_died(&execution.named().0, code);
    }

    fn execution_ended(&mut self, pid: i32, code: i32) {
        let of = |client: &Client| client.execution.as_ref().is_some_and(|execution| execution.pid() == pid);
        let Some(index) = self.clients.iter().position(of) else {
            self.strays.add(pid, code);
            return;
        };
        // It may have ended before its report was read, and the answers have an order.
        self.executed(index, true);
        // Another one is the program now when this was what waited for another runtime.
        if self.clients[index].execution.as_ref().is_some_and(|execution| execution.pid() == pid) {
            self.tell_exit(index, code);
        }
    }
}
