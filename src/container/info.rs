//! What is known about a container, for scripts.

use super::row::Row;
use super::state;
use crate::error::Result;
use crate::model::{ContainerInfo, Status};
use crate::runtime::health::HealthStatus;
use crate::runtime::network::NetworkPlan;
use crate::store::Store;

/// Its row, brought up to date, as scripts see it.
pub fn info(store: &Store, mut row: Row) -> Result<ContainerInfo> {
    let state = state::refresh(store, &mut row)?;
    let alive_health = state.as_ref().and_then(|state| state.health.as_ref()).map(|health| health.status);
    let health = alive_health.or(health_of_ended(row.plan.health.is_some(), row.state.status));
    let pid = state.and_then(|state| state.process).map(|process| process.pid);
    let alive = row.state.status.is_alive();
    let (ip, ports) = match &row.plan.network {
        NetworkPlan::Bridge(bridge) if alive => (Some(bridge.ip.into()), bridge.ports.clone()),
        _ => (None, Vec::new()),
    };
    Ok(ContainerInfo {
        id: row.id.as_str().to_owned(),
        name: row.name,
        image: row.image,
        image_id: row.image_id,
        status: row.state.status,
        exit_code: row.state.exit_code,
        pid,
        ip,
        ports,
        labels: row.plan.labels,
        command: row.plan.argv,
        oom_killed: row.state.oom_killed,
        restarts: row.state.restarts,
        created: row.created,
        started: row.state.started,
        finished: row.state.finished,
        health: health.map(|status| status.to_string()),
    })
}

/// Docker calls a container that does not run unhealthy, once it has run.
pub fn health_of_ended(is_checked: bool, status: Status) -> Option<HealthStatus> {
    (is_checked && status == Status::Exited).then_some(HealthStatus::Unhealthy)
}
