//! Programs that a person works with at the caller's terminal.

use super::base::Base;
use super::exec::request;
use super::launch::{Stdio, run};
use super::row::Row;
use super::run_once::Remains;
use super::seat::Seat;
use super::{monitor, state};
use crate::context::Context;
use crate::error::Result;
use crate::model::{ContainerSpec, DetachKeys, ExecSpec};
use crate::store::Store;
use crate::sys::session::{self, End};

/// Runs a program in a running container; gives its exit code, or `None` when the keys were pressed, which ends it.
pub fn shell(store: &Store, cx: &Context, row: &Row, spec: &ExecSpec, keys: &DetachKeys) -> Result<Option<i32>> {
    let Some(connection) = monitor::connect(store, &row.id)? else {
        return Err(state::not_running(row));
    };
    let (seat, theirs) = Seat::take()?;
    let spec = ExecSpec { tty: seat.size().is_some(), ..spec.clone() };
    let execution = connection.exec(cx, request(&spec, seat.size()), theirs)?;
    match session::join(cx, seat.remote()?, execution.pollable(), keys)? {
        End::Program => execution.wait(cx).map(|exit| Some(exit.code)),
        End::Detached => Ok(None),
    }
}

/// Runs the program of a container of its own, to be removed with [`super::finish`]; otherwise as [`shell`].
pub fn shell_once(
    store: &Store,
    cx: &Context,
    spec: &ContainerSpec,
    base: Base<'_>,
    keys: &DetachKeys,
) -> Result<(Option<i32>, Remains)> {
    let (seat, theirs) = Seat::take()?;
    let spec = ContainerSpec { remove: true, tty: seat.size().is_some(), ..spec.clone() };
    let stdio = match <[_; 3]>::try_from(theirs) {
        Ok(pipes) => Stdio::Passed(pipes),
        Err(mut socket) => Stdio::Terminal(socket.remove(0), seat.size()),
    };
    let (row, mut started) = run(store, cx, &spec, base, stdio)?;
    let end = seat.remote().and_then(|remote| session::join(cx, remote, started.pollable(), keys));
    let ended = end.and_then(|end| match end {
        End::Program => started.wait(cx).map(|exit| Some(exit.code)),
        End::Detached => Ok(None),
    });
    match ended {
        Ok(Some(code)) => Ok((Some(code), Remains::new(row, started))),
        // It has no terminal any more, and nobody else knows of it.
        left => {
            super::run_once::discard(store, row.clone());
            left.map(|code| (code, Remains::new(row, started)))
        }
    }
}
