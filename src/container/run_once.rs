//! Runs one command in a container of its own, waits for it and removes it.

use super::base::Base;
use super::launch::{Stdio, run};
use super::remove::Removal;
use super::row::Row;
use super::{lock, remove, seat, state};
use crate::context::Context;
use crate::error::Result;
use crate::model::{ContainerSpec, ExecIo, RunOutput, WindowSize};
use crate::runtime::control::Started;
use crate::runtime::made_places::MadePlace;
use crate::runtime::terminal::receive_master;
use crate::store::Store;
use crate::sys::pump;
use std::os::fd::AsFd;

/// A container whose command has ended: its monitor is cleaning up.
pub struct Remains {
    row: Row,
    started: Started,
}

impl Remains {
    /// Of a container that was started for one command.
    pub(super) fn new(row: Row, started: Started) -> Self {
        Self { row, started }
    }

    /// What the runtime made in its root for mounts to have a place; for one whose changes are kept.
    pub fn made_places(&self) -> &[MadePlace] {
        &self.started.made
    }
}

/// Runs the spec's command to its end; gives what it left behind, and the container to be removed with
/// [`finish`], which the caller's result does not wait for.
pub fn run_once(
    store: &Store,
    cx: &Context,
    spec: &ContainerSpec,
    base: Base<'_>,
    mut io: ExecIo<'_>,
) -> Result<(RunOutput, Remains)> {
    // Should this process be killed, the next command removes what has ended.
    let spec = ContainerSpec { remove: true, ..spec.clone() };
    let (mut pump, row, mut started) = if spec.tty {
        let (ours, theirs) = seat::console()?;
        let (row, started) = run(store, cx, &spec, base, Stdio::Terminal(theirs, Some(WindowSize::USUAL)))?;
        (pump::of_terminal(receive_master(ours.as_fd())?, io.stdin.take())?, row, started)
    } else {
        let (pump, stdio) = pump::pipes(io.stdin.take())?;
        let (row, started) = run(store, cx, &spec, base, Stdio::Passed(stdio))?;
        (pump, row, started)
    };
    let ended = pump.run(cx, started.pollable(), &mut io).and_then(|()| started.wait(cx));
    match ended {
        Ok(exit) => {
            let [stdout, stderr] = pump.collected;
            Ok((RunOutput { code: exit.code, stdout, stderr, oom_killed: exit.oom_killed }, Remains { row, started }))
        }
        Err(error) => {
            // Cancelled, or the output could not be taken: the container goes, whatever it does.
            discard(store, row);
            Err(error)
        }
    }
}

/// Removes a container whose command was stopped.
pub(super) fn discard(store: &Store, row: Row) {
    remove::remove(store, &Context::background(), row, Removal { force: true, volumes: true }).unwrap_or_else(|left| {
        // The first failure is the one to tell; the next command sweeps.
        tracing::warn!(%left, "a container whose command was stopped was not removed");
    });
}

/// Removes what is left, once the monitor has let go of it.
pub fn finish(store: &Store, cx: &Context, remains: Remains) -> Result<()> {
    let Remains { mut row, started } = remains;
    // Sooner than the lock file tells, and it reaps our child.
    started.wait_for_monitor(cx)?;
    let Some(_lock) = lock::lock(store, &row.id, &cx.cancel)? else { return Ok(()) };
    state::refresh_locked(store, &mut row)?;
    remove::take_apart(store, cx, &row.id, &row.plan.network, true)
}
