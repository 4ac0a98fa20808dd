//! What is true of a container now, and folding its end into the row.

use super::row::{self, FoldedState, Row};
use super::{events, lock, monitor};
use crate::context::{CancelToken, Context};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{RestartPolicy, Status};
use crate::network;
use crate::runtime::control;
use crate::runtime::state::{self, Phase, State, UNSEEN_EXIT_CODE};
use crate::store::Store;
use std::time::{Duration, Instant};

/// How long to wait for who holds a container's lock.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two looks at a container that is being started.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// The row as it is now (`removing` when it is gone), and what its monitor says while it lives.
///
/// Whoever first sees an end folds it into the row. A container that is being started, ended or removed
/// at this moment is left to who does it.
pub fn refresh(store: &Store, row: &mut Row) -> Result<Option<State>> {
    if !may_be_alive(row.state.status) {
        return Ok(None);
    }
    let dir = store.container_dir(row.id.as_str());
    if let Some(state) = state::read(&dir)?
        && state.is_alive()
    {
        row.state = running(&state);
        return Ok(Some(state));
    }
    // Somebody starts, folds or removes it: that takes moments, and then the truth is known.
    let soon = CancelToken::new().child_with_timeout(PATIENCE);
    match lock::lock(store, &row.id, &soon) {
        Ok(Some(_lock)) => refresh_locked(store, row),
        Ok(None) => {
            row.state.status = Status::Removing;
            Ok(None)
        }
        Err(error) if error.is(ErrorKind::Timeout) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The same for who holds the container's lock.
pub fn refresh_locked(store: &Store, row: &mut Row) -> Result<Option<State>> {
    let Some(now) = store.read(|db| row::get(db, row.id.as_str()))? else {
        row.state.status = Status::Removing;
        return Ok(None);
    };
    *row = now;
    let dir = store.container_dir(row.id.as_str());
    let mut state = state::read(&dir)?;
    let until = Instant::now() + PATIENCE;
    // Who started it was killed after its `go`: the monitor goes on by itself, and says so soon.
    while may_be_alive(row.state.status) && is_of_an_earlier_run(row, state.as_ref()) && has_monitor(store, row)? {
        if Instant::now() > until {
            return Ok(None);
        }
        std::thread::sleep(LOOK_AGAIN);
        state = state::read(&dir)?;
    }
    if let Some(state) = state.as_ref().filter(|state| state.is_alive()) {
        row.state = running(state);
        return Ok(Some(state.clone()));
    }
    if may_be_alive(row.state.status) {
        // Its monitor was killed, or is about to go: then it says so, and does this itself.
        sweep_remains(store, row)?;
        row.state = ended(&row.state, state.as_ref());
        // Whoever folds it first, a list or a sweep: the sweep has to find what should go at its end.
        if row.state.status == Status::Created && row.spec.remove {
            row.state.status = Status::Exited;
        }
        fold(store, row)?;
        // Its monitor was killed, and could not write it down.
        if state.is_some_and(|state| state.phase == Phase::Exited && state.finished.is_none()) {
            events::record_with(store, row, "die", &[("exitCode", &UNSEEN_EXIT_CODE.to_string())]);
        }
    }
    Ok(None)
}

/// Whether the file tells of nothing that has happened since the row was written.
fn is_of_an_earlier_run(row: &Row, state: Option<&State>) -> bool {
    state.is_none_or(|state| match state.phase {
        Phase::Created => true,
        Phase::Exited => state.finished.and_then(timestamp) == row.state.finished,
        Phase::Running | Phase::Paused | Phase::Restarting => false,
    })
}

/// Whether its monitor lives.
pub fn has_monitor(store: &Store, row: &Row) -> Result<bool> {
    Ok(state::monitor_pid(&store.container_dir(row.id.as_str()))?.is_some())
}

/// Takes away what a monitor that was killed has left of a container. The caller holds the container's lock.
pub fn sweep_remains(store: &Store, row: &Row) -> Result<()> {
    let run_dir = monitor::run_dir(store, &row.id);
    if run_dir.exists() {
        let dir = store.container_dir(row.id.as_str());
        control::sweep_dead(store.root_id8(), row.id.as_str(), &dir, &run_dir, &row.plan.network)?;
    }
    Ok(())
}

/// Folds the end of a container that was told to end, and has, into its row.
pub fn settle(store: &Store, cx: &Context, row: &mut Row) -> Result<()> {
    let Some(_lock) = lock::lock(store, &row.id, &cx.cancel)? else {
        return Ok(());
    };
    refresh_locked(store, row).map(drop)
}

/// A stop of a container that has no monitor: when nobody saw its end, it is not to be started again for that. `false`
/// when it has been started meanwhile.
pub fn note_stop(store: &Store, cx: &Context, row: &Row) -> Result<bool> {
    if row.spec.restart == RestartPolicy::No {
        return Ok(true);
    }
    let Some(_lock) = lock::lock(store, &row.id, &cx.cancel)? else { return Ok(true) };
    let dir = store.container_dir(row.id.as_str());
    match state::read(&dir)? {
        Some(state) if state.is_alive() => Ok(false),
        Some(state) if state.lost => State { stopped: true, ..state }.write(&dir).map(|()| true),
        _ => Ok(true),
    }
}

/// Writes an end into the row and gives back what only a living container needs. The caller holds the
/// container's lock.
pub fn fold(store: &Store, row: &Row) -> Result<()> {
    network::release(store, row.id.as_str())?;
    store.write(|tx| row::set_state(tx, &row.id, &row.state))
}

/// The state of a container that is not alive, whatever its row said.
pub fn ended(folded: &FoldedState, state: Option<&State>) -> FoldedState {
    match state {
        Some(state) if state.phase == Phase::Exited => FoldedState {
            status: Status::Exited,
            exit_code: Some(state.exit_code.unwrap_or(UNSEEN_EXIT_CODE)),
            oom_killed: state.oom_killed,
            restarts: state.restarts,
            started: state.started.and_then(timestamp).or(folded.started),
            finished: state.finished.and_then(timestamp),
        },
        // Whoever started it died before its program was executed.
        _ if folded.exit_code.is_none() => FoldedState::created(),
        _ => FoldedState { status: Status::Exited, ..folded.clone() },
    }
}

/// What needs a running container does not find one.
pub fn not_running(row: &Row) -> Error {
    Error::conflict(format!("container `{}` is not running", row.name))
        .hint(format!("start it: `container(\"{}\").start()`", row.name))
}

fn running(state: &State) -> FoldedState {
    FoldedState {
        status: match state.phase {
            Phase::Paused => Status::Paused,
            Phase::Restarting => Status::Restarting,
            _ => Status::Running,
        },
        exit_code: if state.is_running() { None } else { state.exit_code },
        oom_killed: state.oom_killed,
        restarts: state.restarts,
        started: state.started.and_then(timestamp),
        finished: state.finished.and_then(timestamp),
    }
}

fn may_be_alive(status: Status) -> bool {
    !matches!(status, Status::Created | Status::Exited)
}

fn timestamp(nanoseconds: i64) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_nanosecond(i128::from(nanoseconds)).ok()
}
