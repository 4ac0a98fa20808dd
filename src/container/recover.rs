//! Starts again what should run and does not: after a reboot, and when a monitor was killed.

use super::launch::{Cause, start_locked};
use super::row::{self, Row};
use super::{lock, state};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::model::{Recovered, RestartPolicy};
use crate::runtime::state::State;
use crate::store::Store;
use crate::sys::process;

/// After a reboot, and at any other time: starts what its policy asks for.
pub fn recover(store: &Store, cx: &Context) -> Result<Vec<Recovered>> {
    let mut recovered = Vec::new();
    for row in store.read(row::with_restart_policy)? {
        cx.check()?;
        let (id, name) = (row.id.as_str().to_owned(), row.name.clone());
        match recover_one(store, cx, row) {
            Ok(false) => {}
            Ok(true) => recovered.push(Recovered { id, name, error: None }),
            Err(error) => recovered.push(Recovered { id, name, error: Some(Error::message(&error)) }),
        }
    }
    Ok(recovered)
}

/// Whether it was started.
fn recover_one(store: &Store, cx: &Context, row: Row) -> Result<bool> {
    let dir = store.container_dir(row.id.as_str());
    // Without the lock first: most of them run.
    if !crate::runtime::state::read(&dir)?.is_some_and(|state| should_run(&row, &state)) {
        return Ok(false);
    }
    let Some(_lock) = lock::lock(store, &row.id, &cx.cancel)? else { return Ok(false) };
    // What was started, stopped or changed meanwhile is not ours any more.
    let (Some(mut row), Some(state)) =
        (store.read(|db| row::get(db, row.id.as_str()))?, crate::runtime::state::read(&dir)?)
    else {
        return Ok(false);
    };
    if !should_run(&row, &state) {
        return Ok(false);
    }
    state::refresh_locked(store, &mut row)?;
    start_locked(store, cx, row, Cause::Start).map(|()| true)
}

/// Docker's rules at the start of its daemon.
fn should_run(row: &Row, state: &State) -> bool {
    // What a script owns goes with it.
    if state.is_alive() || row.spec.scope.is_some() || row.spec.remove || state.started.is_none() {
        return false;
    }
    let rebooted = process::boot_id().is_ok_and(|now| state.boot_id.as_deref().is_some_and(|then| then != now));
    match row.spec.restart {
        RestartPolicy::No => false,
        RestartPolicy::Always => rebooted || (state.lost && !state.stopped),
        RestartPolicy::UnlessStopped => (rebooted || state.lost) && !state.stopped,
        // An end that nobody saw is a failure.
        RestartPolicy::OnFailure(most) => state.lost && !state.stopped && (most == 0 || state.restarts < most),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::plan::Plan;
    use crate::container::row::FoldedState;
    use crate::model::{ContainerSpec, Id};
    use crate::runtime::state::Phase;

    fn row(restart: RestartPolicy) -> Row {
        let plan: Plan = serde_json::from_value(serde_json::json!({
            "argv": ["true"], "env": [], "workdir": "/", "user": "", "hostname": "", "labels": {}, "stop_signal": "TERM",
            "stop_timeout": { "secs": 1, "nanos": 0 }, "layers": [], "network": "none",
        }))
        .unwrap();
        Row {
            id: Id::random().unwrap(),
            name: "web".into(),
            image: String::new(),
            image_id: String::new(),
            spec: ContainerSpec { restart, ..ContainerSpec::default() },
            plan,
            created: jiff::Timestamp::UNIX_EPOCH,
            state: FoldedState::created(),
        }
    }

    #[test]
    fn policies_decide_by_the_boot_the_end_and_who_wanted_it() {
        use RestartPolicy::{Always, No, OnFailure, UnlessStopped};
        // (policy, another boot, nobody saw the end, ended by hand, whether it is started)
        let cases = [
            (No, true, true, false, false),
            (Always, false, false, false, false),
            (Always, false, true, false, true),
            (Always, false, true, true, false),
            (Always, true, false, true, true),
            (UnlessStopped, true, false, false, true),
            (UnlessStopped, true, true, false, true),
            (UnlessStopped, true, false, true, false),
            (OnFailure(0), true, true, false, true),
            (OnFailure(0), true, false, false, false),
            (OnFailure(2), false, true, false, false),
        ];
        for (policy, rebooted, lost, stopped, starts) in cases {
            let boot_id = if rebooted { "another" } else { process::boot_id().unwrap() };
            let state = State {
                phase: Phase::Exited,
                boot_id: Some(boot_id.to_owned()),
                started: Some(1),
                restarts: 2,
                lost,
                stopped,
                ..State::new(Id::random().unwrap())
            };
            assert_eq!(should_run(&row(policy.clone()), &state), starts, "{policy} {rebooted} {lost} {stopped}");
            let never = State { started: None, ..state };
            assert!(!should_run(&row(policy), &never));
        }
    }
}
