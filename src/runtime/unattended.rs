//! What is different for a container whose maker does not stay: that of an OCI runtime's `create`.
//!
//! Its first process stops twice on its way: for hooks, while its maker is still there, and before its program, until a
//! `start` connects to a socket. It reports to whoever that is.

use super::control::protocol::Failure;
use super::hooks;
use super::init::step;
use super::program::Program;
use super::report::Reporter;
use crate::error::{IoContext, Result};
use crate::sys::clone::exit_now;
use crate::sys::fd_passing::accept;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::read;
use oci_spec::runtime::Hooks;
use std::convert::Infallible;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// The steps of such a first process.
#[derive(Debug)]
pub struct Unattended<'a> {
    /// Programs to execute on the way.
    pub hooks: Option<&'a Hooks>,
    /// The container's state as they get it; the pid is filled in.
    pub state: serde_json::Value,
    /// A listening socket: whoever connects and sends a byte starts the program.
    pub start: OwnedFd,
    /// Descriptors of the program beside the first three.
    pub preserve: Vec<RawFd>,
    /// Change the root without pivot_root(2): from an initramfs it cannot be done.
    pub no_pivot: bool,
    /// Leave the program in the caller's session keyring.
    pub no_new_keyring: bool,
}

impl Unattended<'_> {
    /// In the container's namespaces, but still with the host's files.
    pub fn create_container(&self) -> Result<()> {
        let hooks = self.hooks.and_then(|hooks| hooks.create_container().as_ref());
        hooks::run("createContainer", hooks, &self.state_as("creating"))
    }

    /// Descriptors that must stay open up to the program.
    pub fn kept(&self) -> impl Iterator<Item = RawFd> {
        self.preserve.iter().copied().chain([self.start.as_raw_fd()])
    }

    /// Becomes the program when somebody starts it, or tells them why not and ends.
    pub fn become_program(&self, program: &Program) -> ! {
        let Ok(reporter) = self.wait_for_start() else { exit_now(1) };
        let Err(failure) = self.execute(program, &reporter);
        reporter.failure(&failure);
        exit_now(failure.code.unwrap_or(1))
    }

    fn wait_for_start(&self) -> Result<Reporter> {
        let doing = || "cannot wait for the start";
        loop {
            let caller = match accept(&self.start) {
                Err(Errno::EINTR | Errno::ECONNABORTED) => continue,
                other => other.doing(doing)?,
            };
            fcntl(&caller, FcntlArg::F_SETFL(OFlag::empty())).doing(doing)?;
            // Gone before it asked: the next one may.
            if read(&caller, &mut [0u8]) == Ok(1) {
                return Ok(Reporter::new(caller));
            }
        }
    }

    fn execute(&self, program: &Program, reporter: &Reporter) -> Result<Infallible, Failure> {
        step("taking rights away", || program.drop_rights(None))?;
        // With the rights of the program: the file that is executed is one of the image's.
        step("executing the hooks", || {
            let hooks = self.hooks.and_then(|hooks| hooks.start_container().as_ref());
            hooks::run("startContainer", hooks, &self.state_as("created"))
        })?;
        reporter.executing();
        Err(Failure::of("executing the program", &program.exec()))
    }

    fn state_as(&self, status: &str) -> serde_json::Value {
        let mut state = self.state.clone();
        state["status"] = status.into();
        // As the hook sees it: it is in the same pid namespace.
        state["pid"] = std::process::id().into();
        state
    }
}
