//! How a container is connected.

use crate::model::PublishedPort;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// How a container is connected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NetworkPlan {
    /// A namespace of its own with nothing but loopback.
    #[default]
    None,
    /// The host's namespace.
    Host,
    /// The namespace of another container, or of whoever else its bundle names.
    Joined,
    /// A namespace of its own, with a link to a bridge.
    Bridge(BridgePlan),
}

/// One link to a bridge of the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BridgePlan {
    /// nftables table of the root: `shanty-<id8>`.
    pub table: String,
    /// Name of the bridge: `sh<id8>…`, 15 characters at most.
    pub bridge: String,
    /// Address of the bridge: the container's gateway.
    pub gateway: Ipv4Addr,
    /// Length of the network's prefix.
    pub prefix: u8,
    /// Name of the host's end of the link, 15 characters at most.
    pub host_link: String,
    /// Address of the container.
    pub ip: Ipv4Addr,
    /// Largest packet, bytes; the host's route's.
    pub mtu: u32,
    /// Ports published on the host. A listening socket for each, in this order, is sent along with the
    /// launch: it reserves the port and serves `::1`.
    pub ports: Vec<PublishedPort>,
}
