//! The packet filter of a root: one nftables table.

use super::Subnet;
use crate::error::Result;
use crate::model::PublishedPort;
use crate::runtime::network::entry;
use crate::sys::nft::{Batch, Hook, Interface, Map, NftSocket, Rule};
use nix::errno::Errno;
use std::net::{Ipv4Addr, SocketAddrV4};

/// A container's address and its published ports.
pub type Publisher = (Ipv4Addr, Vec<PublishedPort>);

const LOOPBACK_NETWORK: (Ipv4Addr, u8) = (Ipv4Addr::new(127, 0, 0, 0), 8);

const RAW: &str = "raw_prerouting";
const PREROUTING: &str = "prerouting";
const OUTPUT: &str = "output";
const POSTROUTING: &str = "postrouting";
const FORWARD: &str = "forward";

/// Whether the table is there.
pub fn is_there(table: &str) -> Result<bool> {
    NftSocket::with(|nft| nft.has_table(table).map_err(|refusal| refusal.doing("cannot look at the packet filter")))
}

/// Makes the table, in place of one that is there.
pub fn install(table: &str, bridge: &str, subnet: Subnet, publishers: &[Publisher]) -> Result<()> {
    let mut batch = Batch::new();
    if is_there(table)? {
        batch.delete_table(table);
    }
    batch.add_table(table);
    for map in Map::ALL {
        batch.add_map(table, map);
    }
    for (name, hook) in [
        (RAW, Hook::RawPrerouting),
        (PREROUTING, Hook::NatPrerouting),
        (OUTPUT, Hook::NatOutput),
        (POSTROUTING, Hook::NatPostrouting),
        (FORWARD, Hook::FilterForward),
    ] {
        batch.add_chain(table, name, hook);
    }
    for (chain, rule) in rules(bridge, subnet) {
        batch.append_rule(table, chain, &rule);
    }
    for (ip, ports) in publishers {
        for port in ports {
            if let Some((map, key)) = entry(port) {
                batch.add_element(table, map, key, SocketAddrV4::new(*ip, port.container_port));
            }
        }
    }
    NftSocket::with(|nft| {
        nft.commit(batch).map_err(|refusal| refusal.doing(format!("cannot make the packet filter `{table}`")))
    })
}

/// Removes the table, if it is there.
pub fn remove(table: &str) -> Result<()> {
    let mut batch = Batch::new();
    batch.delete_table(table);
    NftSocket::with(|nft| match nft.commit(batch) {
        Err(refusal) if refusal.errno != Errno::ENOENT => {
            Err(refusal.doing(format!("cannot remove the packet filter `{table}`")))
        }
        _ => Ok(()),
    })
}

fn rules(bridge: &str, subnet: Subnet) -> Vec<(&'static str, Rule)> {
    let (loopback, loopback_prefix) = LOOPBACK_NETWORK;
    let from_containers = || Rule::new().from_network(subnet.first, subnet.prefix);
    let mut rules = vec![
        // `route_localnet` on the bridge would let containers reach what listens on the host's loopback
        // (CVE-2020-8558); and translation comes before the kernel's own check, so a neighbour could
        // reach ports that are published on 127.0.0.1 alone.
        (RAW, Rule::new().input(Interface::IsNot("lo")).to_network(loopback, loopback_prefix).drop_packet()),
        (RAW, Rule::new().input(Interface::Is(bridge)).from_network(loopback, loopback_prefix).drop_packet()),
        // The host forwards, so a neighbour with a route could reach ports that are not published. Before
        // translation nothing from elsewhere is for a container's own address.
        (RAW, Rule::new().input(Interface::IsNot(bridge)).to_network(subnet.first, subnet.prefix).drop_packet()),
    ];
    for chain in [PREROUTING, OUTPUT] {
        rules.extend(Map::ALL.map(|map| (chain, Rule::new().to_this_host().destination_nat(map))));
    }
    rules.extend([
        // To the outside, containers have the host's address.
        (POSTROUTING, from_containers().output(Interface::IsNot(bridge)).masquerade()),
        // A container that calls a published port: the answer has to come back by the host.
        (POSTROUTING, from_containers().output(Interface::Is(bridge)).published().masquerade()),
        // The same for the host's own 127.0.0.1, which means something else in the container.
        (POSTROUTING, Rule::new().from_network(loopback, loopback_prefix).output(Interface::Is(bridge)).masquerade()),
        (FORWARD, Rule::new().output(Interface::Is(bridge)).established().accept()),
        (FORWARD, Rule::new().output(Interface::Is(bridge)).published().accept()),
        // Containers of one network see each other; these packets come here where bridges call the
        // packet filter of IP (`br_netfilter`).
        (FORWARD, Rule::new().output(Interface::Is(bridge)).input(Interface::Is(bridge)).accept()),
        (FORWARD, Rule::new().output(Interface::Is(bridge)).drop_packet()),
    ]);
    rules
}
