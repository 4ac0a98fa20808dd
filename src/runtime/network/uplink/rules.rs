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
const NAT: &str = "redirect";
/// Packets for sockets with addresses of others have this mark, and are delivered by this table of routes.
const MARK: u32 = 0x5348;
const ROUTES: u8 = 100;
/// Those of all roots.
const BRIDGES: Interface<'static> = Interface::StartsWith(LINKS);

/// Ports of sockets, of IPv4 and of IPv6; 0: there is none.
pub type Ports = [u16; 2];

/// Which sockets serve what comes from the networks for some destination.
#[derive(Clone, Copy, Debug)]
pub enum Sockets {
    /// Transparent ones, for TCP and UDP, at ports of loopback.
    Both(Ports, Ports),
    /// Those at these ports of all addresses, for TCP, by redirection.
    Connections(Ports),
}

/// What is served.
#[derive(Clone, Copy, Debug)]
pub struct Served {
    /// What the home has no route for; `None`: it has one for everything.
    pub outside: Option<Sockets>,
    /// What is for addresses of the home.
    pub machine: Sockets,
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
    let sockets = Sockets::Both([1, 1], [1, 1]);
    install(Served { outside: Some(sockets), machine: sockets }).is_ok()
}

/// Whether it can redirect packets.
pub fn can_redirect() -> bool {
    let sockets = Sockets::Connections([1, 1]);
    install(Served { outside: Some(sockets), machine: sockets }).is_ok()
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
    batch.add_chain(TABLE, NAT, Hook::NatPrerouting);
    for chain in [CHAIN, NAT] {
        for rule in kept_inside() {
            batch.append_rule(TABLE, chain, &rule);
        }
    }
    let from_networks = || Rule::new().input(BRIDGES);
    serve(&mut batch, served.machine, || from_networks().to_this_host());
    if let Some(sockets) = served.outside {
        serve(&mut batch, sockets, || from_networks().to_nowhere());
    }
    nft.commit(batch).map_err(|refusal| refusal.doing(doing))
}

/// Leads what matches to sockets.
fn serve(batch: &mut Batch, sockets: Sockets, matching: impl Fn() -> Rule) {
    match sockets {
        Sockets::Both(tcp, udp) => {
            for (is_tcp, ports) in [(true, tcp), (false, udp)] {
                for socket in loopback(ports) {
                    // Of a connection that the home has itself the kernel finds the socket: that is not transparent, and the
                    // rule does not match.
                    batch.append_rule(TABLE, CHAIN, &matching().to_proxy(is_tcp, socket).mark(MARK).accept());
                }
            }
        }
        Sockets::Connections(ports) => {
            for (is_ipv6, port) in [(false, ports[0]), (true, ports[1])].into_iter().filter(|(_, port)| *port != 0) {
                batch.append_rule(TABLE, NAT, &matching().to_port(is_ipv6, port));
            }
        }
    }
}

/// Packets that are for a whole link.
fn kept_inside() -> [Rule; 4] {
    let to = |network: [u8; 4], prefix| Rule::new().to_network(Ipv4Addr::from(network).into(), prefix).accept();
    let to6 = |first, prefix| Rule::new().to_network(Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, 0).into(), prefix).accept();
    [to([224, 0, 0, 0], 4), to([255, 255, 255, 255], 32), to6(0xff00, 8), to6(0xfe80, 10)]
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
            let both = Sockets::Both([1, 2], [3, 4]);
            for (outside, machine) in [
                (None, both),
                (Some(both), both),
                (Some(Sockets::Both([1, 0], [3, 0])), both),
                (Some(Sockets::Connections([1, 2])), Sockets::Connections([3, 4])),
            ] {
                install_with(Served { outside, machine }, true)?;
            }
            Ok(())
        })
        .unwrap();
    }
}
