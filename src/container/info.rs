//! What is known about a container, for scripts.

use super::connect::attachments;
use super::row::Row;
use super::state;
use crate::error::Result;
use crate::model::{ContainerInfo, ContainerNetwork, NetworkAttachment, Status};
use crate::network;
use crate::runtime::health::HealthStatus;
use crate::runtime::network::{BridgePlan, LinkPlan};
use crate::store::Store;

/// Its row, brought up to date, as scripts see it.
pub fn info(store: &Store, mut row: Row) -> Result<ContainerInfo> {
    let state = state::refresh(store, &mut row)?;
    let alive_health = state.as_ref().and_then(|state| state.health.as_ref()).map(|health| health.status);
    let health = alive_health.or(health_of_ended(row.plan.health.is_some(), row.state.status));
    let pid = state.and_then(|state| state.process).map(|process| process.pid);
    let alive = row.state.status.is_alive();
    let bridge = row.plan.network.bridge().filter(|_| alive);
    // The way out, else the first one there is.
    let ip = bridge.and_then(|plan| plan.way_out().or(plan.links.first())).and_then(LinkPlan::ipv4);
    Ok(ContainerInfo {
        id: row.id.as_str().to_owned(),
        name: row.name,
        image: row.image,
        image_id: row.image_id,
        status: row.state.status,
        exit_code: row.state.exit_code,
        pid,
        ip: ip.map(|address| address.ip),
        networks: networks(&row.spec.networks, bridge),
        ports: bridge.map(|plan| plan.ports.clone()).unwrap_or_default(),
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

/// The networks that it asked for, with its addresses where it has some.
pub fn networks(asked: &[NetworkAttachment], plan: Option<&BridgePlan>) -> Vec<ContainerNetwork> {
    let one = |wanted: NetworkAttachment| {
        let name = network::canonical(&wanted.network).to_owned();
        let link = plan.and_then(|plan| plan.links.iter().find(|link| link.network_name == name));
        ContainerNetwork {
            ip: link.and_then(LinkPlan::ipv4).map(|address| address.ip),
            ip6: link.and_then(LinkPlan::ipv6).map(|address| address.ip),
            aliases: wanted.aliases,
            name,
        }
    };
    attachments(asked).into_iter().map(one).collect()
}

/// Docker calls a container that does not run unhealthy, once it has run.
pub fn health_of_ended(is_checked: bool, status: Status) -> Option<HealthStatus> {
    (is_checked && status == Status::Exited).then_some(HealthStatus::Unhealthy)
}
