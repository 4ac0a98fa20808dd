//! Links, addresses and routes (rtnetlink(7)).

use super::message::{Attributes, Reply, Request, attribute, attributes, u32_at};
use super::socket::{NetlinkSocket, Refusal};
use crate::error::Result;
use libc::{
    AF_INET, AF_INET6, AF_UNSPEC, IFA_ADDRESS, IFA_FLAGS, IFA_LOCAL, IFF_UP, IFLA_ADDRESS, IFLA_IFNAME, IFLA_INFO_DATA,
    IFLA_INFO_KIND, IFLA_INFO_SLAVE_DATA, IFLA_INFO_SLAVE_KIND, IFLA_LINKINFO, IFLA_MASTER, IFLA_MTU, IFLA_NET_NS_FD,
    IFLA_OPERSTATE, NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, RT_SCOPE_UNIVERSE, RT_TABLE_MAIN, RTA_DST,
    RTA_GATEWAY, RTA_METRICS, RTA_OIF, RTA_PRIORITY, RTM_DELLINK, RTM_DELROUTE, RTM_GETLINK, RTM_GETROUTE, RTM_NEWADDR,
    RTM_NEWLINK, RTM_NEWROUTE, RTN_UNICAST, RTPROT_BOOT,
};
use nix::sys::socket::SockProtocol;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd};

/// The peer of a veth link, in its link data (`linux/veth.h`).
const VETH_INFO_PEER: u16 = 1;
/// Whether frames may leave by the port they came by (`linux/if_link.h`).
const IFLA_BRPORT_MODE: u16 = 4;
/// The largest packet of a route, in its metrics (`linux/rtnetlink.h`).
const RTAX_MTU: u16 = 2;
/// Lengths of `struct ifinfomsg` and `struct rtmsg`.
const LINK_HEADER: usize = 16;
const ROUTE_HEADER: usize = 12;
const CREATE: i32 = NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;

/// Number of the link with this name in the thread's network namespace.
pub fn link_index(name: &str) -> Option<u32> {
    nix::net::if_::if_nametoindex(name).ok()
}

/// One route of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteEntry {
    /// First address of the destination.
    pub destination: IpAddr,
    /// Length of the destination's prefix; 0: the default route.
    pub prefix: u8,
    /// Number of the link it leaves by; 0: none (a blackhole, several next hops).
    pub link: u32,
    /// The smaller is taken first.
    pub priority: u32,
    /// Largest packet, bytes, where the route itself has a limit.
    pub mtu: Option<u32>,
}

impl RouteEntry {
    /// Whether it is the route to a network that an address is in; the default route is to every address of its family.
    pub fn contains(&self, ip: IpAddr) -> bool {
        let differs =
            |difference: u128, bits: u32| difference.checked_shr(bits - u32::from(self.prefix)).unwrap_or(0) != 0;
        match (self.destination, ip) {
            (IpAddr::V4(network), IpAddr::V4(ip)) => !differs(u128::from(network.to_bits() ^ ip.to_bits()), 32),
            (IpAddr::V6(network), IpAddr::V6(ip)) => !differs(network.to_bits() ^ ip.to_bits(), 128),
            _ => false,
        }
    }
}

/// Reads and changes links, addresses and routes of the namespace it was opened in.
pub struct RouteSocket(NetlinkSocket);

impl RouteSocket {
    /// Opens it in the thread's network namespace.
    pub fn open() -> Result<Self> {
        NetlinkSocket::open(SockProtocol::NetlinkRoute).map(Self)
    }

    /// Makes a bridge that is up.
    pub fn create_bridge(&mut self, name: &str, mtu: u32) -> Result<(), Refusal> {
        self.change(|request| {
            request.message(RTM_NEWLINK, CREATE, &link_header(0, true), |link| {
                link.string(IFLA_IFNAME, name);
                link.u32(IFLA_MTU, mtu);
                link.nested(IFLA_LINKINFO, |info| info.bytes(IFLA_INFO_KIND, b"bridge"));
            });
        })
    }

    /// Makes a link of two ends in one request: `name` here, up, as a port of the link number `bridge`;
    /// `peer` in the namespace `netns`, down (bringing it up at creation fails with ENOTCONN, since its
    /// other end is not there yet). To create it here and move it costs 10 to 30 ms of RCU waits.
    ///
    /// The port sends frames back the way they came ("hairpin"): where bridges call the packet filter of
    /// IP (`br_netfilter`), a container that calls its own published port is translated inside the bridge.
    pub fn create_veth(
        &mut self,
        name: &str,
        bridge: u32,
        mtu: u32,
        peer: &str,
        peer_mac: [u8; 6],
        netns: BorrowedFd<'_>,
    ) -> Result<(), Refusal> {
        let peer_attributes = |end: &mut Attributes<'_>| {
            end.string(IFLA_IFNAME, peer);
            end.u32(IFLA_MTU, mtu);
            end.bytes(IFLA_ADDRESS, &peer_mac);
            end.u32(IFLA_NET_NS_FD, netns.as_raw_fd() as u32);
        };
        self.change(|request| {
            request.message(RTM_NEWLINK, CREATE, &link_header(0, true), |link| {
                link.string(IFLA_IFNAME, name);
                link.u32(IFLA_MTU, mtu);
                link.u32(IFLA_MASTER, bridge);
                link.nested(IFLA_LINKINFO, |info| {
                    info.bytes(IFLA_INFO_KIND, b"veth");
                    info.nested(IFLA_INFO_DATA, |data| {
                        data.nested_after(VETH_INFO_PEER, &link_header(0, false), peer_attributes);
                    });
                });
            });
            request.message(RTM_NEWLINK, NLM_F_ACK, &link_header(0, false), |link| {
                link.string(IFLA_IFNAME, name);
                link.nested(IFLA_LINKINFO, |info| {
                    info.bytes(IFLA_INFO_SLAVE_KIND, b"bridge");
                    info.nested(IFLA_INFO_SLAVE_DATA, |port| port.bytes(IFLA_BRPORT_MODE, &[1]));
                });
            });
        })
    }

    /// Brings a link up.
    pub fn set_up(&mut self, link: u32) -> Result<(), Refusal> {
        self.change(|request| up(request, link))
    }

    /// Gives a link an address.
    pub fn add_address(&mut self, link: u32, ip: IpAddr, prefix: u8) -> Result<(), Refusal> {
        self.change(|request| address(request, link, ip, prefix))
    }

    /// Sets a link up in one request: loopback and `link` up, its addresses, and the default routes by `gateways`.
    pub fn configure(&mut self, link: u32, addresses: &[(IpAddr, u8)], gateways: &[IpAddr]) -> Result<(), Refusal> {
        self.change(|request| {
            up(request, LOOPBACK);
            for (ip, prefix) in addresses {
                address(request, link, *ip, *prefix);
            }
            up(request, link);
            for gateway in gateways {
                default_route(request, RTM_NEWROUTE, CREATE, link, *gateway);
            }
        })
    }

    /// Adds the default route by `gateway`.
    pub fn add_default_route(&mut self, link: u32, gateway: IpAddr) -> Result<(), Refusal> {
        self.change(|request| default_route(request, RTM_NEWROUTE, CREATE, link, gateway))
    }

    /// Deletes that route.
    pub fn delete_default_route(&mut self, link: u32, gateway: IpAddr) -> Result<(), Refusal> {
        self.change(|request| default_route(request, RTM_DELROUTE, NLM_F_ACK, link, gateway))
    }

    /// Has packets with this mark delivered to this machine, whatever their destination is, by way of a table of routes.
    /// Succeeds when that is so.
    pub fn deliver_marked(&mut self, is_ipv6: bool, mark: u32, table: u8) -> Result<(), Refusal> {
        /// `struct fib_rule_hdr` is as long as `struct rtmsg`; its action `FR_ACT_TO_TBL`.
        const TO_TABLE: u8 = 1;
        const FRA_PRIORITY: u16 = 6;
        const FRA_FWMARK: u16 = 10;
        let family = if is_ipv6 { AF_INET6 } else { AF_INET } as u8;
        let rule = [family, 0, 0, 0, table, 0, 0, TO_TABLE, 0, 0, 0, 0];
        let made = self.change(|request| {
            request.message(libc::RTM_NEWRULE, CREATE, &rule, |attributes| {
                attributes.u32(FRA_PRIORITY, u32::from(table));
                attributes.u32(FRA_FWMARK, mark);
            });
        });
        exists_already(made)?;
        let route = [family, 0, 0, 0, table, RTPROT_BOOT, libc::RT_SCOPE_HOST, libc::RTN_LOCAL, 0, 0, 0, 0];
        let made = self.change(|request| {
            request.message(RTM_NEWROUTE, CREATE, &route, |attributes| attributes.u32(RTA_OIF, LOOPBACK));
        });
        exists_already(made)
    }

    /// Deletes a link. It waits for an RCU grace period: 20 ms and more.
    pub fn delete_link(&mut self, link: u32) -> Result<(), Refusal> {
        self.change(|request| request.message(RTM_DELLINK, NLM_F_ACK, &link_header(link, false), |_| {}))
    }

    /// Largest packet of a link, bytes.
    pub fn link_mtu(&mut self, link: u32) -> Result<Option<u32>, Refusal> {
        let found = self.link(link)?;
        Ok(attribute(&found, IFLA_MTU).and_then(|value| u32_at(value, 0)))
    }

    /// Whether a link that is up passes packets on yet. The kernel makes it so some time after the other
    /// end came up; since Linux 6.8 asking is enough to have it done now (`linkwatch_sync_dev`).
    pub fn is_running(&mut self, link: u32) -> Result<bool, Refusal> {
        /// `IF_OPER_UP` of `linux/if.h`.
        const OPERATIONAL: &[u8] = &[6];
        let found = self.link(link)?;
        Ok(attribute(&found, IFLA_OPERSTATE) == Some(OPERATIONAL))
    }

    /// The attributes of a link.
    fn link(&mut self, link: u32) -> Result<Vec<u8>, Refusal> {
        let mut request = Request::new();
        request.message(RTM_GETLINK, NLM_F_ACK, &link_header(link, false), |_| {});
        let reply = self.0.exchange(&request)?.into_iter().next();
        Ok(reply.and_then(|reply| reply.body.get(LINK_HEADER..).map(<[u8]>::to_vec)).unwrap_or_default())
    }

    /// The routes of the main and all other tables, IPv4 and IPv6, without those of addresses of the host itself.
    pub fn routes(&mut self) -> Result<Vec<RouteEntry>, Refusal> {
        let mut routes = Vec::new();
        for family in [AF_INET, AF_INET6] {
            let mut request = Request::new();
            let mut header = [0; ROUTE_HEADER];
            header[0] = family as u8;
            request.message(RTM_GETROUTE, NLM_F_DUMP, &header, |_| {});
            routes.extend(self.0.exchange(&request)?.iter().filter_map(route));
        }
        Ok(routes)
    }

    fn change(&mut self, messages: impl FnOnce(&mut Request)) -> Result<(), Refusal> {
        let mut request = Request::new();
        messages(&mut request);
        self.0.exchange(&request).map(drop)
    }
}

fn exists_already(result: Result<(), Refusal>) -> Result<(), Refusal> {
    match result {
        Err(refusal) if refusal.errno == nix::errno::Errno::EEXIST => Ok(()),
        other => other,
    }
}

/// Loopback is the first link of every namespace.
pub const LOOPBACK: u32 = 1;

fn up(request: &mut Request, link: u32) {
    request.message(RTM_NEWLINK, NLM_F_ACK, &link_header(link, true), |_| {});
}

fn family(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { AF_INET as u8 } else { AF_INET6 as u8 }
}

/// The bytes of an address, in network order.
pub fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

fn address(request: &mut Request, link: u32, ip: IpAddr, prefix: u8) {
    // struct ifaddrmsg: family, prefix length, flags, scope, index.
    let mut header = [family(ip), prefix, 0, RT_SCOPE_UNIVERSE, 0, 0, 0, 0];
    header[4..].copy_from_slice(&link.to_ne_bytes());
    request.message(RTM_NEWADDR, CREATE, &header, |attributes| {
        attributes.bytes(IFA_LOCAL, &octets(ip));
        attributes.bytes(IFA_ADDRESS, &octets(ip));
        if ip.is_ipv6() {
            // We know that nobody else has it: to ask around first would take a second.
            attributes.u32(IFA_FLAGS, libc::IFA_F_NODAD);
        }
    });
}

fn default_route(request: &mut Request, operation: u16, flags: i32, link: u32, gateway: IpAddr) {
    // struct rtmsg: family, lengths of destination and source, tos, table, protocol, scope, type, flags.
    let header = [family(gateway), 0, 0, 0, RT_TABLE_MAIN, RTPROT_BOOT, RT_SCOPE_UNIVERSE, RTN_UNICAST, 0, 0, 0, 0];
    request.message(operation, flags, &header, |attributes| {
        attributes.bytes(RTA_GATEWAY, &octets(gateway));
        attributes.u32(RTA_OIF, link);
    });
}

/// `struct ifinfomsg`: family, padding, type, index, flags, change mask.
fn link_header(index: u32, up: bool) -> [u8; LINK_HEADER] {
    let mut header = [0; LINK_HEADER];
    header[0] = AF_UNSPEC as u8;
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    if up {
        header[8..12].copy_from_slice(&(IFF_UP as u32).to_ne_bytes());
        header[12..16].copy_from_slice(&(IFF_UP as u32).to_ne_bytes());
    }
    header
}

fn route(reply: &Reply) -> Option<RouteEntry> {
    const PREFIX: usize = 1;
    const KIND: usize = 7;
    // Others are the host's own addresses and their broadcasts.
    if reply.body.get(KIND) != Some(&RTN_UNICAST) {
        return None;
    }
    let is_ipv4 = i32::from(*reply.body.first()?) == AF_INET;
    let any: IpAddr = if is_ipv4 { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let mut entry = RouteEntry { destination: any, prefix: *reply.body.get(PREFIX)?, link: 0, priority: 0, mtu: None };
    for (kind, value) in attributes(reply.body.get(ROUTE_HEADER..)?) {
        match kind {
            RTA_DST => entry.destination = ip_of(value)?,
            RTA_OIF => entry.link = u32_at(value, 0)?,
            RTA_PRIORITY => entry.priority = u32_at(value, 0)?,
            RTA_METRICS => entry.mtu = attribute(value, RTAX_MTU).and_then(|value| u32_at(value, 0)),
            _ => {}
        }
    }
    Some(entry)
}

/// The address with these bytes.
pub fn ip_of(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => Some(IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?)),
        16 => Some(IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::RouteEntry;

    #[test]
    fn an_address_is_in_its_network_alone() {
        for (network, prefix, ip, expected) in [
            ("10.1.0.0", 16, "10.1.2.3", true),
            ("10.1.0.0", 16, "10.2.2.3", false),
            ("10.1.2.3", 32, "10.1.2.3", true),
            ("0.0.0.0", 0, "10.1.2.3", true),
            ("fd00::", 8, "fd12::1", true),
            ("fd00::", 64, "fd00:0:0:1::1", false),
            ("::", 0, "fd12::1", true),
            ("fd00::", 8, "10.1.2.3", false),
        ] {
            let destination = network.parse().unwrap();
            let route = RouteEntry { destination, prefix, link: 1, priority: 0, mtu: None };
            assert_eq!(route.contains(ip.parse().unwrap()), expected, "{ip} in {network}/{prefix}");
        }
    }
}
