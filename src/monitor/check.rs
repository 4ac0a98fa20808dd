//! One health check that runs: its process, its output, its time.

use super::execution::Execution;
use super::handshake::now;
use crate::error::{IoContext, Result};
use crate::runtime::cgroup::Group;
use crate::runtime::control::protocol::ExecRequest;
use crate::runtime::health::HealthResult;
use crate::runtime::process_tree::ProcessTree;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::sys::stat::Mode;
use nix::unistd::{pipe2, read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// So much of the output is kept: Docker's limit.
const LONGEST_OUTPUT: usize = 4096;
/// Group of a check below the container's, so that all its children can be found.
pub(super) const GROUP: &str = "health";

/// The check.
pub(super) struct Check {
    /// Its process.
    pub execution: Execution,
    output: Option<OwnedFd>,
    text: Vec<u8>,
    is_cut: bool,
    start: i64,
    is_late: bool,
    failure: Option<(i32, String)>,
}

impl Check {
    /// Starts it: `run` makes a process in the container with the given input and outputs.
    pub fn start(argv: &[String], run: impl FnOnce(&ExecRequest, Vec<OwnedFd>) -> Result<Execution>) -> Result<Self> {
        let doing = || "cannot make a pipe";
        let (output, write) = pipe2(OFlag::O_CLOEXEC).doing(doing)?;
        fcntl(&output, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).doing(doing)?;
        let null = open("/dev/null", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty()).doing(doing)?;
        let error = write.try_clone().doing(doing)?;
        let request = ExecRequest { argv: argv.to_vec(), ..ExecRequest::default() };
        let start = now();
        let execution = run(&request, vec![null, write, error])?;
        let (text, is_cut, is_late) = (Vec::new(), false, false);
        Ok(Self { execution, output: Some(output), text, is_cut, start, is_late, failure: None })
    }

    /// What to poll for its output.
    pub fn output_fd(&self) -> Option<BorrowedFd<'_>> {
        self.output.as_ref().map(AsFd::as_fd)
    }

    /// Reads once what is there; what is too much is thrown away. Tells whether there may be more.
    pub fn read(&mut self) -> bool {
        let Some(output) = &self.output else { return false };
        let mut buffer = [0u8; 2048];
        match read(output, &mut buffer) {
            Ok(0) => self.output = None,
            Ok(length) => {
                let room = LONGEST_OUTPUT - self.text.len();
                self.text.extend_from_slice(&buffer[..length.min(room)]);
                self.is_cut |= length > room;
                return true;
            }
            Err(Errno::EINTR) => return true,
            Err(Errno::EAGAIN) => {}
            Err(_) => self.output = None,
        }
        false
    }

    /// Whether it was executed; `ended` when its process has.
    pub fn read_report(&mut self, ended: bool) {
        if let Some(Err(failure)) = self.execution.take_report(ended) {
            self.failure = Some((failure.code.unwrap_or(-1), failure.message));
        }
    }

    /// Its time is up: it goes, with all its children. Called again until its process is reaped.
    pub fn kill(&mut self, group: Group<'_>) {
        self.is_late = true;
        if !group.kill_below(GROUP) {
            // Without cgroup2: those that descend from it now.
            ProcessTree::of(self.execution.pid()).kill();
        }
        self.execution.kill();
    }

    /// What it came to; its process has ended with this code.
    pub fn finish(mut self, code: i32, timeout: Duration) -> HealthResult {
        self.read_report(true);
        // What it wrote fits into the pipe or was read before; a child that holds the pipe is not waited for.
        for _ in 0..LONGEST_OUTPUT {
            if !self.read() || self.is_cut {
                break;
            }
        }
        let mut output = String::from_utf8_lossy(&self.text).into_owned();
        if self.is_cut {
            output.push_str("...");
        }
        let (exit_code, output) = match self.failure {
            _ if self.is_late => {
                let late = format!("Health check exceeded timeout ({})", crate::model::duration::format(timeout));
                (-1, if output.is_empty() { late } else { format!("{late}: {output}") })
            }
            Some((code, message)) => (code, message),
            None => (code, output),
        };
        HealthResult { start: self.start, end: now(), exit_code, output }
    }
}
