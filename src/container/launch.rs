//! Starts the program of a container: reserves addresses and ports, writes the bundle, starts the monitor.

use super::base::Base;
use super::connect::connect;
use super::row::{self, Row};
use super::{bundle, create, lock, lookup, mapped, remove, state};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::model::{ContainerSpec, Id, Secret, Status, WindowSize};
use crate::runtime::control::{self, Started, Summons};
use crate::runtime::launch::{Launch, StdioPlan};
use crate::runtime::network::NetworkPlan;
use crate::store::Store;
use std::os::fd::OwnedFd;

/// Said at each start, because it is not what people expect of a container.
const WITHOUT_FILTER: &str = "this kernel has no nftables: containers cannot reach other machines, networks are not kept \
                              apart, and published ports are forwarded by a process of each container";

/// Where a container's input and output go.
pub enum Stdio {
    /// Output into its log.
    Log,
    /// Input, output and error output are the caller's.
    Passed([OwnedFd; 3]),
    /// A terminal, whose master is sent over this socket.
    Terminal(OwnedFd, Option<WindowSize>),
}

/// Why a container is started.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It is to run.
    Start,
    /// It was stopped to be started again.
    Restart,
}

/// Starts a container that was made before; succeeds when it runs already.
pub fn start(store: &Store, cx: &Context, mut row: Row, cause: Cause) -> Result<()> {
    let Some(_lock) = lock::lock(store, &row.id, &cx.cancel)? else {
        return Err(lookup::not_found(&row.name, &[]));
    };
    state::refresh_locked(store, &mut row)?;
    match row.state.status {
        Status::Paused => Err(Error::conflict(format!("container `{}` is paused", row.name))
            .hint(format!("let it go on: `container(\"{}\").unpause()`", row.name))),
        status if status.is_alive() => Ok(()),
        _ => start_locked(store, cx, row, cause),
    }
}

/// The same for one that does not run; the caller holds its lock.
pub fn start_locked(store: &Store, cx: &Context, mut row: Row, cause: Cause) -> Result<()> {
    // The monitor of the last run may still be cleaning up.
    control::wait_until_gone(cx, &store.container_dir(row.id.as_str()))?;
    let before = row.state.clone();
    let monitor = summon(store, &row.id)?;
    row.state.status = Status::Running;
    store.write(|tx| row::set_state(tx, &row.id, &row.state))?;
    match launch(store, cx, &mut row, Stdio::Log, cause, &[], monitor) {
        Ok(_) => Ok(()),
        Err(error) => {
            row.state = before;
            put_back(store, &row)?;
            Err(error)
        }
    }
}

/// Makes and starts a container. When its program cannot be executed it is removed again, unless it was
/// given a name.
pub fn run(store: &Store, cx: &Context, spec: &ContainerSpec, base: Base<'_>, stdio: Stdio) -> Result<(Row, Started)> {
    let id = Id::random()?;
    let monitor = summon(store, &id)?;
    let (mut row, _lock) = create::make(store, cx, id, spec, base, Status::Running)?;
    match launch(store, cx, &mut row, stdio, Cause::Start, base.secret_env, monitor) {
        Ok(started) => Ok((row, started)),
        Err(error) => {
            if spec.name.is_some() && error.exit_details().is_some() {
                row.state.status = Status::Created;
                put_back(store, &row)?;
            } else {
                remove::take_apart(store, &Context::background(), &row.id, &row.plan.network, true).unwrap_or_else(
                    |left| {
                        // The first failure is the one to tell; the next command sweeps.
                        tracing::warn!(%left, "a container that could not be started was not removed");
                    },
                );
            }
            Err(error)
        }
    }
}

/// A container that could not be started is as before. Its monitor takes away what it made, unless it was killed.
fn put_back(store: &Store, row: &Row) -> Result<()> {
    let swept = state::sweep_remains(store, row);
    state::fold(store, row)?;
    swept
}

/// Its monitor starts while the rest of the container is made.
fn summon(store: &Store, id: &Id) -> Result<Summons> {
    control::summon(store.root(), store.root_id8(), id, store.run_dir())
}

fn launch(
    store: &Store,
    cx: &Context,
    row: &mut Row,
    stdio: Stdio,
    cause: Cause,
    secret_env: &[(String, Secret)],
    monitor: Summons,
) -> Result<Started> {
    // Until its overlay holds them.
    let _layers = store.use_layers(&row.plan.layers)?;
    let layers = mapped::layers(store, cx, row)?;
    let (plan, sockets) = connect(store, row)?;
    if plan.bridge().is_some_and(|plan| plan.table.is_none()) {
        cx.progress.warn(WITHOUT_FILTER);
    }
    row.plan.network = plan;
    if row.plan.network != NetworkPlan::None {
        store.write(|tx| row::set_plan(tx, &row.id, &row.plan))?;
    }
    let (stdio_plan, descriptors) = match stdio {
        Stdio::Log => (StdioPlan::Log { stdin: row.spec.stdin, tty: row.spec.tty }, Vec::new()),
        Stdio::Passed(descriptors) => (StdioPlan::Passed, descriptors.into()),
        Stdio::Terminal(socket, size) => (StdioPlan::Terminal { size }, vec![socket]),
    };
    let launch = Launch {
        is_restart: cause == Cause::Restart,
        secret_env: secret_env.to_vec(),
        ..bundle::write(store, row, layers, stdio_plan)?
    };
    let started = monitor.prepare(cx, &launch, descriptors, sockets)?.go(cx)?;
    for warning in &started.warnings {
        cx.progress.warn(warning);
    }
    Ok(started)
}
