//! Commands on this machine: `host`, `host_sh`.

use super::deadline::within;
use super::live_output::LiveOutput;
use super::result::CommandResult;
use super::values::{CommandLine, Environment};
use crate::context::Context;
use crate::error::{Error, IoContext, Result, errno_text};
use crate::model::{ExecIo, RunOutput};
use crate::privilege;
use crate::script::binding::{Bytes, Call, Callback, Options, api};
use crate::sys::{pidfd, pump};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::Duration;

/// Options of `host` and `host_sh`.
#[derive(Default, Options)]
pub struct HostOptions {
    /// Environment on top of ours.
    #[option(alias = "environment")]
    pub env: Environment,
    /// Working directory; ours when nothing is said.
    #[option(alias = "working_dir")]
    pub workdir: Option<PathBuf>,
    /// What it reads; nothing when nothing is said.
    pub stdin: Option<Bytes>,
    /// `false`: a code other than 0 is no error.
    pub check: Option<bool>,
    /// Kills it and what it has started after this time.
    pub timeout: Option<Duration>,
}

/// Runs a command on this machine and waits for it; the callback gets each line (`.text`, `.stream`) as it comes.
///
/// # Example
/// assert_eq(host("echo 'hello world'").text, "hello world");
/// assert_eq(host(["sh", "-c", "exit 3"], #{ check: false }).code, 3);
///
/// # Errors
/// `exit` on a code other than 0 unless `check: false`; `timeout`.
#[api]
pub fn host(call: &Call, cmd: CommandLine, options: HostOptions, on_line: Option<Callback>) -> Result<CommandResult> {
    let CommandLine(argv) = cmd;
    let Some((program, arguments)) = argv.split_first() else {
        return Err(Error::invalid("the command is empty"));
    };
    let mut command = privilege::program(program);
    command.args(arguments).envs(options.env.0).process_group(0);
    if let Some(workdir) = &options.workdir {
        if !workdir.is_dir() {
            return Err(Error::not_found(format!("there is no folder `{}` to run in", workdir.display())));
        }
        command.current_dir(workdir);
    }
    let line = argv.join(" ");
    let mut live = on_line.map(|on_line| LiveOutput::new(call, on_line));
    let mut sink = live.as_mut().map(|live| |stream, bytes: &[u8]| live.write(stream, bytes));
    let io = ExecIo {
        stdin: options.stdin.map(|Bytes(bytes)| bytes),
        on_output: sink.as_mut().map(|sink| sink as _),
        keep_end: false,
    };
    let outer = call.context();
    let output = within(&outer, options.timeout, || format!("command `{line}`"), |cx| run(cx, command, program, io))?;
    if let Some(live) = live {
        live.finish()?;
    }
    CommandResult::from(output).checked(options.check, &format!("`{program}`"))
}

/// Runs a line on this machine with `/bin/sh -c`; otherwise as `host`.
///
/// # Example
/// assert_eq(host_sh("echo b; echo a | cat").lines, ["b", "a"]);
///
/// # Errors
/// Those of `host`.
#[api]
pub fn host_sh(call: &Call, line: String, options: HostOptions, on_line: Option<Callback>) -> Result<CommandResult> {
    host(call, CommandLine::shell(line), options, on_line)
}

fn run(cx: &Context, mut command: Command, program: &str, mut io: ExecIo<'_>) -> Result<RunOutput> {
    let (mut pump, [stdin, stdout, stderr]) = pump::pipes(io.stdin.take())?;
    command.stdin(stdin).stdout(stdout).stderr(stderr);
    let child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            // As a shell: 127 is not found, 126 not executable.
            let code = if error.kind() == ErrorKind::NotFound { 127 } else { 126 };
            let stderr = format!("cannot run `{program}`: {}\n", errno_text(&error)).into_bytes();
            return Ok(RunOutput { code, stderr, ..RunOutput::default() });
        }
    };
    // Its descriptors are in the command, and would keep the pipes open.
    drop(command);
    let mut group = Group(child);
    let ended = pidfd::open(group.0.id() as i32).doing(|| format!("cannot watch `{program}`"))?;
    pump.run(cx, Some(ended.as_fd()), &mut io)?;
    let status = group.0.wait().doing(|| format!("cannot wait for `{program}`"))?;
    let code = status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(-1);
    let [stdout, stderr] = std::mem::take(&mut pump.collected);
    Ok(RunOutput { code, stdout, stderr, oom_killed: false })
}

/// A program and what it has started; killed when we stop waiting for it.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        if self.0.try_wait().is_ok_and(|status| status.is_none()) {
            // It may end just now; then there is nothing to kill.
            let _ = killpg(Pid::from_raw(self.0.id() as i32), Signal::SIGKILL);
            let _ = self.0.wait();
        }
    }
}
