//! From which address a container is connected to: the client's own, where answers to that come back to us.

use crate::sys::netlink::RouteSocket;
use crate::sys::transparent;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

/// A container that does not answer for so long is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Where connections are forwarded to.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The container's address and port.
    pub address: SocketAddr,
    /// Whether it sees its clients' addresses.
    pub shows_clients: bool,
}

impl Target {
    /// Connects for a client.
    pub fn connect(self, client: SocketAddr) -> io::Result<TcpStream> {
        if self.can_show(client) {
            match transparent::connect_from(client, self.address, CONNECT_TIMEOUT) {
                Err(error) if cannot_be_used(&error) => {}
                result => return result,
            }
        }
        TcpStream::connect_timeout(&self.address, CONNECT_TIMEOUT)
    }

    /// A socket for a client's datagrams.
    pub fn socket(self, client: SocketAddr) -> io::Result<UdpSocket> {
        if self.can_show(client) {
            match transparent::between(client, self.address) {
                Err(error) if cannot_be_used(&error) => {}
                result => return result,
            }
        }
        let any = if self.address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let socket = UdpSocket::bind(SocketAddr::new(any, 0))?;
        socket.connect(self.address)?;
        Ok(socket)
    }

    /// Not loopback, which is another one in the container, and not an address that means somebody else in the networks.
    fn can_show(self, client: SocketAddr) -> bool {
        let ip = client.ip();
        self.shows_clients
            && ip.is_ipv4() == self.address.is_ipv4()
            && !ip.is_loopback()
            && !matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local())
            && !is_of_networks(ip)
    }
}

/// The address is taken by a connection of the same client to the same port of the container, or cannot be had at all.
fn cannot_be_used(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::AddrNotAvailable | ErrorKind::PermissionDenied)
        || error.kind() == ErrorKind::NetworkUnreachable
}

fn is_of_networks(ip: IpAddr) -> bool {
    let Ok(routes) =
        RouteSocket::open().and_then(|mut links| links.routes().map_err(|refusal| refusal.doing("cannot list routes")))
    else {
        return true;
    };
    routes.iter().any(|route| route.prefix > 0 && contains(route.destination, route.prefix, ip))
}

fn contains(network: IpAddr, prefix: u8, ip: IpAddr) -> bool {
    match (network, ip) {
        (IpAddr::V4(network), IpAddr::V4(ip)) => {
            (network.to_bits() ^ ip.to_bits()).checked_shr(32 - u32::from(prefix.min(32))).unwrap_or(0) == 0
        }
        (IpAddr::V6(network), IpAddr::V6(ip)) => {
            (network.to_bits() ^ ip.to_bits()).checked_shr(128 - u32::from(prefix.min(128))).unwrap_or(0) == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::contains;

    #[test]
    fn an_address_is_in_its_network_alone() {
        for (network, prefix, ip, expected) in [
            ("10.1.0.0", 16, "10.1.2.3", true),
            ("10.1.0.0", 16, "10.2.2.3", false),
            ("10.1.2.3", 32, "10.1.2.3", true),
            ("0.0.0.0", 0, "10.1.2.3", true),
            ("fd00::", 8, "fd12::1", true),
            ("fd00::", 64, "fd00:0:0:1::1", false),
            ("fd00::", 8, "10.1.2.3", false),
        ] {
            let is_in = contains(network.parse().unwrap(), prefix, ip.parse().unwrap());
            assert_eq!(is_in, expected, "{ip} in {network}/{prefix}");
        }
    }
}
