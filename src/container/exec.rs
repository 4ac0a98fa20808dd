//! Runs commands in a running container.

use super::row::Row;
use super::{monitor, seat, state};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::model::{ExecIo, ExecSpec, RunOutput, WindowSize};
use crate::runtime::control::protocol::ExecRequest;
use crate::runtime::control::{Connection, Exit};
use crate::runtime::terminal::receive_master;
use crate::store::Store;
use crate::sys::pump;
use std::os::fd::AsFd;

/// Runs a command inside and waits for it, unless it is to go on by itself.
///
/// # Errors
/// `exit` with code 126 or 127 when it cannot be executed, `conflict` when the container does not run.
pub fn exec(store: &Store, cx: &Context, row: &Row, spec: &ExecSpec, mut io: ExecIo<'_>) -> Result<RunOutput> {
    let Some(connection) = monitor::connect(store, &row.id)? else {
        return Err(state::not_running(row));
    };
    if spec.tty {
        return exec_in_terminal(connection, cx, spec, io);
    }
    let request = request(spec, None);
    if spec.detach {
        connection.exec(cx, request, null_stdio()?.into())?;
        return Ok(RunOutput::default());
    }
    let (mut pump, stdio) = pump::pipes(io.stdin.take())?;
    let execution = connection.exec(cx, request, stdio.into())?;
    pump.run(cx, execution.pollable(), &mut io)?;
    let Exit { code, oom_killed } = execution.wait(cx)?;
    let [stdout, stderr] = pump.collected;
    Ok(RunOutput { code, stdout, stderr, oom_killed })
}

/// The same in a terminal that nobody looks at; both outputs are one.
fn exec_in_terminal(connection: Connection, cx: &Context, spec: &ExecSpec, mut io: ExecIo<'_>) -> Result<RunOutput> {
    if spec.detach {
        return Err(Error::invalid("a command that goes on by itself has no terminal")
            .hint("leave `tty` out, or `detach`: the terminal goes with who holds it"));
    }
    let (ours, theirs) = seat::console()?;
    let execution = connection.exec(cx, request(spec, Some(WindowSize::USUAL)), vec![theirs])?;
    let mut pump = pump::of_terminal(receive_master(ours.as_fd())?, io.stdin.take())?;
    pump.run(cx, execution.pollable(), &mut io)?;
    let Exit { code, oom_killed } = execution.wait(cx)?;
    let [stdout, stderr] = pump.collected;
    Ok(RunOutput { code, stdout, stderr, oom_killed })
}

/// What the monitor is asked for.
pub(super) fn request(spec: &ExecSpec, size: Option<WindowSize>) -> ExecRequest {
    ExecRequest {
        argv: spec.argv.clone(),
        env: spec.env.clone(),
        workdir: spec.workdir.clone(),
        user: spec.user.clone(),
        detach: spec.detach,
        tty: spec.tty,
        size,
    }
}

fn null_stdio() -> Result<[std::os::fd::OwnedFd; 3]> {
    use crate::error::IoContext;
    let open = || {
        std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/null")
            .map(Into::into)
            .doing(|| "cannot open `/dev/null`")
    };
    Ok([open()?, open()?, open()?])
}
