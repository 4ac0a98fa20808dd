//! Runs commands in a running container.

use super::row::Row;
use super::{monitor, state};
use crate::context::Context;
use crate::error::Result;
use crate::model::{ExecIo, ExecSpec, RunOutput};
use crate::runtime::control::protocol::ExecRequest;
use crate::store::Store;
use crate::sys::pump;

/// Runs a command inside and waits for it, unless it is to go on by itself.
///
/// # Errors
/// `exit` with code 126 or 127 when it cannot be executed, `conflict` when the container does not run.
pub fn exec(store: &Store, cx: &Context, row: &Row, spec: &ExecSpec, mut io: ExecIo<'_>) -> Result<RunOutput> {
    let Some(connection) = monitor::connect(store, &row.id)? else {
        return Err(state::not_running(row));
    };
    let request = ExecRequest {
        argv: spec.argv.clone(),
        env: spec.env.clone(),
        workdir: spec.workdir.clone(),
        user: spec.user.clone(),
        detach: spec.detach,
    };
    if spec.detach {
        connection.exec(cx, request, null_stdio()?)?;
        return Ok(RunOutput::default());
    }
    let (mut pump, stdio) = pump::pipes(io.stdin.take())?;
    let execution = connection.exec(cx, request, stdio)?;
    pump.run(cx, execution.pollable(), &mut io)?;
    let code = execution.wait(cx)?;
    let [stdout, stderr] = pump.collected;
    Ok(RunOutput { code, stdout, stderr })
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
