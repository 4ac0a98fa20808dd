//! From which address a container is connected to: the client's own, where answers to that come back to us.

use crate::runtime::network::home;
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
            && !home::is_of_networks(ip).unwrap_or(true)
    }
}

/// The address is taken by a connection of the same client to the same port of the container, or cannot be had at all.
fn cannot_be_used(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::AddrNotAvailable | ErrorKind::PermissionDenied)
        || error.kind() == ErrorKind::NetworkUnreachable
}
