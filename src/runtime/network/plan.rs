//! How a container is connected.

use super::resolver::ResolverPlan;
use crate::model::PublishedPort;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

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
    /// A namespace of its own, with links to bridges.
    Bridge(BridgePlan),
}

impl NetworkPlan {
    /// The links to bridges, where there are to be any.
    pub fn bridge(&self) -> Option<&BridgePlan> {
        match self {
            Self::Bridge(plan) => Some(plan),
            Self::None | Self::Host | Self::Joined => None,
        }
    }
}

/// Links to bridges of the host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "WrittenPlan")]
pub struct BridgePlan {
    /// nftables table of the root, `shanty-<id8>`; `None`: the kernel has no nftables, and the proxy serves all ports.
    pub table: Option<String>,
    /// In the order in which they were asked for. The first that leads out has the default route and the published
    /// ports.
    pub links: Vec<LinkPlan>,
    /// Ports published on the host. A listening socket for each, in this order, is sent along with the
    /// launch: it reserves the port, serves `::1`, and everything where the packet filter does not.
    pub ports: Vec<PublishedPort>,
    /// What names are looked up in; `None`: the container asks the host's name servers itself.
    pub resolver: Option<ResolverPlan>,
}

/// One link to a bridge of the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkPlan {
    /// Id of the network.
    pub network: String,
    /// Its name.
    pub network_name: String,
    /// Name of the bridge: `sh<id8>…`, 15 characters at most.
    pub bridge: String,
    /// Name of the host's end of the link, 15 characters at most.
    pub host_link: String,
    /// Name of the container's end: `eth0`.
    pub interface: String,
    /// The container's addresses: IPv4, and IPv6 where the network has it.
    pub addresses: Vec<LinkAddress>,
    /// Largest packet, bytes.
    pub mtu: u32,
    /// Nothing leads out of the network.
    #[serde(default)]
    pub internal: bool,
    /// Under which names others find it; `None`: nobody does.
    #[serde(default)]
    pub names: Option<NamesPlan>,
}

/// An address of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkAddress {
    /// The container's address.
    pub ip: IpAddr,
    /// Length of the network's prefix.
    pub prefix: u8,
    /// Address of the bridge.
    pub gateway: IpAddr,
}

/// The names of a container in a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamesPlan {
    /// Where the network's names are kept.
    pub file: PathBuf,
    /// The container's id.
    pub container: String,
    /// Its names there, its own one first.
    pub names: Vec<String>,
}

impl BridgePlan {
    /// The link with the default route and the published ports.
    pub fn way_out(&self) -> Option<&LinkPlan> {
        self.links.iter().find(|link| !link.internal)
    }

    /// Where published ports can lead to, IPv4 first.
    pub fn targets(&self) -> Vec<IpAddr> {
        let addresses = self.way_out().into_iter().flat_map(|link| [link.ipv4(), link.ipv6()]);
        addresses.flatten().map(|address| address.ip).collect()
    }

    /// Where published ports lead to over IPv4.
    pub fn target(&self) -> Option<IpAddr> {
        self.way_out()?.ipv4().map(|address| address.ip)
    }
}

impl LinkPlan {
    /// The IPv4 address.
    pub fn ipv4(&self) -> Option<&LinkAddress> {
        self.addresses.iter().find(|address| address.ip.is_ipv4())
    }

    /// The IPv6 address.
    pub fn ipv6(&self) -> Option<&LinkAddress> {
        self.addresses.iter().find(|address| address.ip.is_ipv6())
    }
}

/// A plan as it is written down: also the one link of those that an older Shanty wrote.
#[derive(Deserialize)]
struct WrittenPlan {
    table: Option<String>,
    #[serde(default)]
    links: Vec<LinkPlan>,
    #[serde(default)]
    ports: Vec<PublishedPort>,
    #[serde(default)]
    resolver: Option<ResolverPlan>,
    bridge: Option<String>,
    gateway: Option<Ipv4Addr>,
    prefix: Option<u8>,
    host_link: Option<String>,
    ip: Option<Ipv4Addr>,
    mtu: Option<u32>,
}

impl From<WrittenPlan> for BridgePlan {
    fn from(written: WrittenPlan) -> Self {
        let mut plan =
            Self { table: written.table, links: written.links, ports: written.ports, resolver: written.resolver };
        if let (Some(bridge), Some(host_link), Some(ip), Some(gateway)) =
            (written.bridge, written.host_link, written.ip, written.gateway)
        {
            plan.links.push(LinkPlan {
                network: String::new(),
                network_name: "bridge".to_owned(),
                bridge,
                host_link,
                interface: "eth0".to_owned(),
                addresses: vec![LinkAddress {
                    ip: ip.into(),
                    prefix: written.prefix.unwrap_or(16),
                    gateway: gateway.into(),
                }],
                mtu: written.mtu.unwrap_or(1500),
                internal: false,
                names: None,
            });
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plan_of_an_older_version_is_understood() {
        let written = r#"{"bridge":{"table":"shanty-0","bridge":"sh0n0","gateway":"10.200.0.1","prefix":16,
            "host_link":"sh000001","ip":"10.200.0.2","mtu":1400,"ports":[]}}"#;
        let plan: NetworkPlan = serde_json::from_str(written).unwrap();
        let plan = plan.bridge().unwrap().clone();
        assert_eq!(plan.target(), Some("10.200.0.2".parse().unwrap()));
        assert_eq!((plan.links.len(), plan.links[0].mtu), (1, 1400));
        let again: NetworkPlan =
            serde_json::from_str(&serde_json::to_string(&NetworkPlan::Bridge(plan.clone())).unwrap()).unwrap();
        assert_eq!(again.bridge(), Some(&plan));
    }
}
