//! What the home's packet filter and routes lead to our sockets.

use crate::error::Result;
use crate::runtime::network::home::LINKS;
use crate::sys::netlink::{LOOPBACK, RouteSocket};
use crate::sys::nft::{Batch, Hook, Interface, NftSocket, Rule};
use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// The table in the home.
const TABLE: &str = "uplink";
const CHAIN: &str = "prerouting";
/// Packets for sockets with addresses of others have this mark, and are delivered by this table of routes.
const MARK: u32 = 0x5348;
const ROUTES: u8 = 100;
/// Those of all roots.
const BRIDGES: Interface<'static> = Interface::StartsWith(LINKS);

/// Which sockets serve what leaves the networks.
#[derive(Clone, Copy, Debug)]
pub enum Served {
    /// None: there is a route.
    Nothing,
    /// TCP and UDP, at these ports of loopback.
    Both {
        /// Of both families.
        tcp: [u16; 2],
        /// Of both families.
        udp: [u16; 2],
    },
    /// TCP alone, by redirection to these ports of all addresses.
    Connections {
        /// Of both families.
        tcp: [u16; 2],
    },
}

/// Brings loopback up, and has packets for sockets with addresses of others delivered.
pub fn prepare() -> Result<()> {
    let mut links = RouteSocket::open()?;
    links.set_up(LOOPBACK).map_err(|refusal| refusal.doing("cannot bring loopback up"))?;
    for is_ipv6 in [false, true] {
        let delivered = links.deliver_marked(is_ipv6, MARK, ROUTES);
        if !is_ipv6 {
            delivered.map_err(|refusal| refusal.doing("cannot add a routing rule"))?;
        }
    }
    // Bridges would take packets away from the sockets that they were given to.
    for name in ["bridge-nf-call-iptables", "bridge-nf-call-ip6tables"] {
        let _ = fs::write(format!("/proc/sys/net/bridge/{name}"), "0");
    }
    Ok(())
}

/// Whether this kernel can give packets to a transparent socket.
pub fn can_proxy() -> bool {
    install(Served::Both { tcp: [1, 1], udp: [1, 1] }).is_ok()
}

/// Makes the table, in place of one that is there.
pub fn install(served: Served) -> Result<()> {
    // Answers to a published port's clients, whose addresses the proxy has, need a match that not every kernel has. Where
    // packets are given to sockets it is not needed: a connection's socket goes first there.
    install_with(served, true).or_else(|_| install_with(served, false))
}

fn install_with(served: Served, matches_sockets: bool) -> Result<()> {
    let mut nft = NftSocket::open()?;
    let doing = "cannot make the packet filter of the way out";
    let mut batch = Batch::new();
    if nft.has_table(TABLE).map_err(|refusal| refusal.doing(doing))? {
        batch.delete_table(TABLE);
    }
    batch.add_table(TABLE);
    batch.add_chain(TABLE, CHAIN, Hook::ManglePrerouting);
    if matches_sockets {
        batch.append_rule(TABLE, CHAIN, &Rule::new().to_transparent_socket().mark(MARK).accept());
    }
    match served {
        Served::Nothing => {}
        Served::Both { tcp, udp } => {
            for rule in kept_inside() {
                batch.append_rule(TABLE, CHAIN, &rule);
            }
            for (is_tcp, ports) in [(true, tcp), (false, udp)] {
                for socket in loopback(ports) {
                    let rule = Rule::new().input(BRIDGES).to_nowhere().to_proxy(is_tcp, socket).mark(MARK).accept();
                    batch.append_rule(TABLE, CHAIN, &rule);
                }
            }
        }
        Served::Connections { tcp } => {
            const NAT: &str = "redirect";
            batch.add_chain(TABLE, NAT, Hook::NatPrerouting);
            for rule in kept_inside() {
                batch.append_rule(TABLE, NAT, &rule);
            }
            for (is_ipv6, port) in [(false, tcp[0]), (true, tcp[1])] {
                batch.append_rule(TABLE, NAT, &Rule::new().input(BRIDGES).to_nowhere().to_port(is_ipv6, port));
            }
        }
    }
    nft.commit(batch).map_err(|refusal| refusal.doing(doing))
}

/// Packets to the home itself, and those that are for a whole link.
fn kept_inside() -> [Rule; 5] {
    let to = |network: [u8; 4], prefix| Rule::new().to_network(Ipv4Addr::from(network).into(), prefix).accept();
    let to6 = |first, prefix| Rule::new().to_network(Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, 0).into(), prefix).accept();
    [
        Rule::new().to_this_host().accept(),
        to([224, 0, 0, 0], 4),
        to([255, 255, 255, 255], 32),
        to6(0xff00, 8),
        to6(0xfe80, 10),
    ]
}

fn loopback([v4, v6]: [u16; 2]) -> Vec<SocketAddr> {
    let addresses = [SocketAddr::from((Ipv4Addr::LOCALHOST, v4)), SocketAddr::from((Ipv6Addr::LOCALHOST, v6))];
    addresses.into_iter().filter(|address| address.port() != 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::netns;

    #[test]
    fn this_kernel_takes_the_rules() {
        netns::alone(|| {
            netns::unshare_thread()?;
            prepare()?;
            for served in [
                Served::Nothing,
                Served::Both { tcp: [1, 2], udp: [3, 4] },
                Served::Both { tcp: [1, 0], udp: [3, 0] },
                Served::Connections { tcp: [1, 2] },
            ] {
                install_with(served, true)?;
            }
            Ok(())
        })
        .unwrap();
    }
}
