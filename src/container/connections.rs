//! Connects a container to a network, and disconnects it, also while it runs.

use super::connect::{alone, attachments, check_attachment, member};
use super::row::{self, Row};
use super::{etc, lock, lookup, monitor, state};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::events::{self, Occurrence};
use crate::model::{ContainerSpec, NetworkAttachment};
use crate::network::{self, Network};
use crate::runtime::network::{BridgePlan, NetworkPlan};
use crate::store::Store;

/// Connects it; one that does not run will be connected when it starts.
///
/// # Errors
/// `conflict` when it is connected already, has no network of its own, or the address is taken.
pub fn connect(store: &Store, cx: &Context, mut row: Row, network: &Network, wanted: &NetworkAttachment) -> Result<()> {
    let wanted = NetworkAttachment { network: network.name.clone(), ..wanted.clone() };
    check_attachment(&wanted)?;
    let Some(_lock) = lock::lock(store, &row.id, &cx.cancel)? else {
        return Err(lookup::not_found(&row.name, &[]));
    };
    let is_alive = state::refresh_locked(store, &mut row)?.is_some();
    refuse_without_own_network(&row, is_alive)?;
    let mut networks = if alone(&row.spec).is_some() { Vec::new() } else { attachments(&row.spec.networks) };
    if networks.iter().any(|known| network::canonical(&known.network) == network.name) {
        return Err(Error::conflict(format!(
            "container `{}` is connected to the network `{}` already",
            row.name, network.name
        )));
    }
    networks.push(wanted.clone());
    let spec = ContainerSpec { networks, ..row.spec.clone() };
    // Before the link is made: then the network is in use.
    store.write(|tx| {
        network::ensure_present(tx, std::slice::from_ref(&wanted))?;
        row::set_spec(tx, &row.id, &spec)
    })?;
    if is_alive {
        let connected = connect_running(store, cx, &mut row, &wanted);
        if let Err(error) = connected {
            store.write(|tx| row::set_spec(tx, &row.id, &row.spec))?;
            return Err(error);
        }
    }
    record(store, &row, network, "connect");
    Ok(())
}

fn connect_running(store: &Store, cx: &Context, row: &mut Row, wanted: &NetworkAttachment) -> Result<()> {
    let now = row.plan.network.bridge().cloned().unwrap_or_default();
    let then = network::extend(store, member(row), &now, wanted)?;
    let result = reconnect(store, cx, row, &now, then);
    if result.is_err() {
        let network = network::find(store, &wanted.network)?;
        network::release_network(store, row.id.as_str(), &network)?;
    }
    result
}

/// Disconnects it.
///
/// # Errors
/// `conflict` when it is not connected, or ports that it publishes lead through the network and no other one leads out.
pub fn disconnect(store: &Store, cx: &Context, mut row: Row, network: &Network) -> Result<()> {
    let Some(_lock) = lock::lock(store, &row.id, &cx.cancel)? else {
        return Err(lookup::not_found(&row.name, &[]));
    };
    let is_alive = state::refresh_locked(store, &mut row)?.is_some();
    let mut networks = if alone(&row.spec).is_some() { Vec::new() } else { attachments(&row.spec.networks) };
    let before = networks.len();
    networks.retain(|known| network::canonical(&known.network) != network.name);
    if networks.len() == before {
        return Err(Error::conflict(format!(
            "container `{}` is not connected to the network `{}`",
            row.name, network.name
        ))
        .hint(format!("its networks: `container(\"{}\").networks`", row.name)));
    }
    if networks.is_empty() && !row.spec.ports.is_empty() {
        return Err(Error::conflict(format!(
            "`{}` cannot leave the network `{}`: its published ports lead through it",
            row.name, network.name
        ))
        .hint("connect it to another network that is not internal first"));
    }
    // Docker: a container that was taken out of all networks has none.
    if networks.is_empty() {
        networks.push(NetworkAttachment::to("none"));
    }
    if is_alive {
        let now = row.plan.network.bridge().cloned().unwrap_or_default();
        let then = network::reduce(store, member(&row), &now, network)?;
        reconnect(store, cx, &mut row, &now, then)?;
    }
    network::release_network(store, row.id.as_str(), network)?;
    let spec = ContainerSpec { networks, ..row.spec.clone() };
    store.write(|tx| row::set_spec(tx, &row.id, &spec))?;
    record(store, &row, network, "disconnect");
    Ok(())
}

/// Has the monitor do it, and writes down what is so then.
fn reconnect(store: &Store, cx: &Context, row: &mut Row, now: &BridgePlan, then: BridgePlan) -> Result<()> {
    let plan = NetworkPlan::Bridge(then);
    let Some(mut monitor) = monitor::connect(store, &row.id)? else {
        return Err(state::not_running(row));
    };
    monitor.reconnect(cx, &plan)?;
    row.plan.network = plan;
    store.write(|tx| row::set_plan(tx, &row.id, &row.plan))?;
    etc::networks_changed(&monitor::run_dir(store, &row.id), row, now)
}

fn refuse_without_own_network(row: &Row, is_alive: bool) -> Result<()> {
    let why = match alone(&row.spec) {
        // Docker refuses it as well; one that was taken out of all networks has a namespace that can be connected.
        Some("none") if !is_alive || row.plan.network.bridge().is_some() => return Ok(()),
        None => return Ok(()),
        Some("none") => "none".to_owned(),
        Some("host") => "that of the host".to_owned(),
        Some(_) => "that of another container".to_owned(),
    };
    Err(Error::conflict(format!("container `{}` cannot be connected: its network is {why}", row.name))
        .hint("make the container anew with the networks that it is to have"))
}

fn record(store: &Store, row: &Row, network: &Network, action: &str) {
    let occurrence = Occurrence::network(action, &network.id, &network.name, "bridge");
    events::record(store.root(), &[occurrence.with("container", row.id.as_str())]);
}
