//! Both ends of the input and output of the container's program.

use super::cleanup::Remains;
use super::handshake::Container;
use super::output::Output;
use crate::error::{IoContext, Result};
use crate::model::WindowSize;
use crate::runtime::launch::StdioPlan;
use crate::runtime::terminal::{Console, receive_master};
use nix::fcntl::OFlag;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::unistd::pipe2;
use std::os::fd::{AsFd, OwnedFd};

/// What the first process gets, and what this monitor keeps.
pub(super) struct Stdio {
    /// Input, output and error output of the process.
    pub process: [Option<OwnedFd>; 3],
    /// Instead of them: its terminal.
    pub console: Option<Console>,
    /// What goes into the log.
    pub outputs: Option<[Output; 2]>,
    /// Where the master of its terminal will come from.
    pub master: Option<OwnedFd>,
}

impl Stdio {
    /// As the plan says; `passed` are the descriptors that came with it.
    pub fn new(plan: StdioPlan, passed: Vec<OwnedFd>, remains: &mut Remains) -> Result<Self> {
        let doing = || "cannot make a pipe";
        let mut stdio = Self { process: [None, None, None], console: None, outputs: None, master: None };
        let mut passed = passed.into_iter();
        match plan {
            StdioPlan::Passed => {
                for (slot, fd) in stdio.process.iter_mut().zip(passed) {
                    *slot = Some(fd);
                }
            }
            StdioPlan::Terminal { size } => stdio.console = passed.next().map(|socket| Console { socket, size }),
            StdioPlan::Log { tty: true, .. } => {
                let (ours, socket) = socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)
                    .doing(|| "cannot make a socket pair")?;
                // Nobody need ever attach, and programs that draw divide by it.
                stdio.console = Some(Console { socket, size: Some(WindowSize::USUAL) });
                stdio.master = Some(ours);
                stdio.outputs = Some(["stdout", "stderr"].map(Output::silent));
            }
            StdioPlan::Log { stdin, tty: false } => {
                if stdin {
                    let (read, write) = pipe2(OFlag::O_CLOEXEC).doing(doing)?;
                    stdio.process[0] = Some(read);
                    remains.hold_input(write);
                }
                let (stdout, stdout_write) = pipe2(OFlag::O_CLOEXEC).doing(doing)?;
                let (stderr, stderr_write) = pipe2(OFlag::O_CLOEXEC).doing(doing)?;
                stdio.process[1] = Some(stdout_write);
                stdio.process[2] = Some(stderr_write);
                let output = |pipe, stream| Output::new(pipe, stream).doing(doing);
                stdio.outputs = Some([output(stdout, "stdout")?, output(stderr, "stderr")?]);
            }
        }
        Ok(stdio)
    }
}

impl Container {
    /// Takes the terminal that the process has opened by now: its output goes into the log.
    pub(super) fn take_terminal(&mut self) -> Result<()> {
        let Some(socket) = self.master.take() else { return Ok(()) };
        let master = receive_master(socket.as_fd())?;
        let doing = || "cannot read the terminal";
        if let Some((_, outputs)) = &mut self.log {
            outputs[0] = Output::new(master.try_clone().doing(doing)?, "stdout").doing(doing)?;
        }
        self.terminal = Some(master);
        Ok(())
    }
}
