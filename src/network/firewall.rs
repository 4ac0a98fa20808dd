//! The packet filter of a root: one nftables table for all its networks.
//!
//! It is made anew as a whole whenever a network comes or goes, in one transaction, so that what it says is always
//! what the rows say. A chain named after each bridge decides who reaches that network.

use super::Subnet;
use super::rows::Network;
use crate::error::Result;
use crate::runtime::network::{PortEntry, in_home};
use crate::sys::nft::{Batch, Hook, Interface, Map, NftSocket, Rule};
use nix::errno::Errno;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::OnceLock;

const LOOPBACK_NETWORK: (IpAddr, u8) = (IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8);
const LOOPBACK_6: (IpAddr, u8) = (IpAddr::V6(Ipv6Addr::LOCALHOST), 128);
/// What neighbours on one wire use among themselves: nothing of it leads anywhere.
const MULTICAST: (IpAddr, u8) = (IpAddr::V4(Ipv4Addr::new(224, 0, 0, 0)), 4);
const MULTICAST_6: (IpAddr, u8) = (IpAddr::V6(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0)), 8);
const LINK_LOCAL_6: (IpAddr, u8) = (IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0)), 10);

const RAW: &str = "raw_prerouting";
const PREROUTING: &str = "prerouting";
const OUTPUT: &str = "output";
const POSTROUTING: &str = "postrouting";
const FORWARD: &str = "forward";

/// `none`: do without nftables, as on a kernel that lacks it.
const OVERRIDE: &str = "SHANTY_PACKET_FILTER";

/// Whether this kernel has nftables.
pub fn is_available() -> bool {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    *AVAILABLE.get_or_init(|| {
        std::env::var_os(OVERRIDE).is_none_or(|value| value != "none")
            && in_home(|| NftSocket::with(|nft| Ok(nft.has_table("shanty").is_ok()))).unwrap_or(false)
    })
}

/// Whether the table is there, with the rules of this bridge.
pub fn is_there(table: &str, bridge: &str) -> Result<bool> {
    NftSocket::with(|nft| {
        nft.has_chain(table, bridge).map_err(|refusal| refusal.doing("cannot look at the packet filter"))
    })
}

/// Whether the table is there.
pub fn has_table(table: &str) -> Result<bool> {
    NftSocket::with(|nft| nft.has_table(table).map_err(|refusal| refusal.doing("cannot look at the packet filter")))
}

/// Makes the table, in place of one that is there. `bridges` is what the names of all bridges of the root start with.
pub fn install(table: &str, bridges: &str, networks: &[Network], published: &[PortEntry]) -> Result<()> {
    let mut batch = Batch::new();
    if has_table(table)? {
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
    for network in networks {
        batch.add_plain_chain(table, &network.bridge);
    }
    for (chain, rule) in rules(bridges, networks) {
        batch.append_rule(table, &chain, &rule);
    }
    for (map, key, target) in published {
        batch.add_element(table, *map, *key, *target);
    }
    NftSocket::with(|nft| nft.commit(batch).map_err(|refusal| refusal.doing(making(table))))
}

fn making(table: &str) -> String {
    format!("cannot make the packet filter `{table}`")
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

fn rules(bridges: &str, networks: &[Network]) -> Vec<(String, Rule)> {
    let ours = Interface::StartsWith(bridges);
    let mut rules: Vec<(&str, Rule)> = Vec::new();
    // `route_localnet` on a bridge would let containers reach what listens on the host's loopback
    // (CVE-2020-8558); and translation comes before the kernel's own check, so a neighbour could
    // reach ports that are published on 127.0.0.1 alone.
    rules.push((RAW, to(Rule::new().input(Interface::IsNot("lo")), LOOPBACK_NETWORK).drop_packet()));
    rules.push((RAW, from(Rule::new().input(ours), LOOPBACK_NETWORK).drop_packet()));
    for chain in [PREROUTING, OUTPUT] {
        for map in Map::ALL {
            let mut rule = Rule::new();
            if map.is_ipv6() {
                // From these addresses no answer would find its way: the proxy serves them.
                rule = not_to(not_to(rule, LOOPBACK_6), LINK_LOCAL_6);
            }
            rules.push((chain, rule.to_this_host().destination_nat(map)));
        }
    }
    for network in networks {
        rules.extend(rules_of(network));
    }
    // The same as for a container that calls its own published port, for the host's 127.0.0.1, which means
    // something else in the container.
    rules.push((POSTROUTING, from(Rule::new().output(ours), LOOPBACK_NETWORK).masquerade()));
    // A bridge whose rules are not here yet.
    rules.push((FORWARD, Rule::new().output(ours).drop_packet()));
    rules.into_iter().map(|(chain, rule)| (chain.to_owned(), rule)).collect()
}

/// Rules with which the chain named after the bridge is called, and that chain's.
fn rules_of(network: &Network) -> Vec<(&str, Rule)> {
    let bridge = network.bridge.as_str();
    let (here, elsewhere) = (Interface::Is(bridge), Interface::IsNot(bridge));
    let mut rules = Vec::new();
    for Subnet { first, prefix } in network.ranges.iter().map(|range| range.subnet) {
        let network_address = (first, prefix);
        // The host forwards, so a neighbour with a route, or a container of another network, could reach ports that are
        // not published. Before translation nothing from elsewhere is for a container's own address.
        rules.push((RAW, to(Rule::new().input(elsewhere), network_address).drop_packet()));
        if network.internal {
            // Not even by the host, which would be asked to translate for a published port.
            let out = not_to(Rule::new().input(here), network_address);
            let others = if first.is_ipv4() { [MULTICAST, MULTICAST] } else { [MULTICAST_6, LINK_LOCAL_6] };
            rules.push((RAW, not_to(not_to(out, others[0]), others[1]).drop_packet()));
        } else {
            // To the outside, containers have the host's address.
            rules.push((POSTROUTING, from(Rule::new().output(elsewhere), network_address).masquerade()));
        }
        // A container that calls a published port: the answer has to come back by the host.
        rules.push((POSTROUTING, from(Rule::new().output(here), network_address).published().masquerade()));
    }
    if network.internal {
        rules.push((FORWARD, Rule::new().input(here).output(elsewhere).drop_packet()));
        rules.push((bridge, Rule::new().input(elsewhere).drop_packet()));
    }
    rules.push((FORWARD, Rule::new().output(here).jump(bridge)));
    rules.push((bridge, Rule::new().established().accept()));
    rules.push((bridge, Rule::new().published().accept()));
    // Containers of one network see each other; these packets come here where bridges call the
    // packet filter of IP (`br_netfilter`).
    rules.push((bridge, Rule::new().input(here).accept()));
    rules.push((bridge, Rule::new().drop_packet()));
    rules
}

fn to(rule: Rule, (network, prefix): (IpAddr, u8)) -> Rule {
    rule.to_network(network, prefix)
}

fn not_to(rule: Rule, (network, prefix): (IpAddr, u8)) -> Rule {
    rule.not_to_network(network, prefix)
}

fn from(rule: Rule, (network, prefix): (IpAddr, u8)) -> Rule {
    rule.from_network(network, prefix)
}
