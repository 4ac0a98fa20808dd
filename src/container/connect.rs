//! Which network a container gets.

use super::isolation;
use super::row::Row;
use crate::error::{Error, Result};
use crate::network;
use crate::runtime::network::NetworkPlan;
use crate::store::Store;
use std::os::fd::OwnedFd;

/// Reserves an address and the published ports; the sockets hold the ports and are for the monitor.
///
/// # Errors
/// `conflict` when a port is taken, which says by whom.
pub fn connect(store: &Store, row: &Row) -> Result<(NetworkPlan, Vec<OwnedFd>)> {
    let names: Vec<&str> = row.spec.networks.iter().map(String::as_str).collect();
    match names[..] {
        [] | [network::DEFAULT | "default"] => {
            let attachment = network::allocate(store, row.id.as_str(), &row.spec.ports)?;
            Ok((NetworkPlan::Bridge(attachment.plan), attachment.sockets))
        }
        ["none"] => no_ports(row, "none").map(|()| (NetworkPlan::None, Vec::new())),
        ["host"] => no_ports(row, "host").map(|()| (NetworkPlan::Host, Vec::new())),
        [name] if name.starts_with(isolation::CONTAINER) => Ok((NetworkPlan::Joined, Vec::new())),
        _ => Err(Error::unsupported(format!("network `{}` cannot be used yet", names.join("`, `")))
            .hint("the networks are `bridge` (the default), `none`, `host` and `container:NAME`")),
    }
}

fn no_ports(row: &Row, network: &str) -> Result<()> {
    if row.spec.ports.is_empty() {
        return Ok(());
    }
    let hint = match network {
        "host" => "leave `ports` out: the container's ports are the host's",
        _ => "leave `ports` out, or the network",
    };
    Err(Error::invalid(format!("ports cannot be published on network `{network}`")).hint(hint))
}
