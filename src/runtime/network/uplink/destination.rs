//! Where containers may go.

use nix::ifaddrs::getifaddrs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// What goes to the sockets of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// What is for somewhere else.
    Outside,
    /// What is for an address that the home has: containers mean the machine by it.
    Machine,
}

impl Wanted {
    /// Where to connect to instead of an address; `None`: nowhere.
    pub fn resolve(self, wanted: SocketAddr) -> Option<SocketAddr> {
        let address = match self {
            Self::Outside => wanted,
            Self::Machine => SocketAddr::new(machine(wanted.ip())?, wanted.port()),
        };
        is_outside(address).then_some(address)
    }
}

/// The address of the machine for one of the home: the same where pasta has copied it, else the one that packets to the
/// outside have, else the first that is not loopback.
fn machine(of_home: IpAddr) -> Option<IpAddr> {
    // Only what the machine has can be bound.
    if UdpSocket::bind((of_home, 0)).is_ok() {
        return Some(of_home);
    }
    // Connecting a UDP socket sends nothing: it looks for a route. The addresses are those of documentation.
    let (any, outside) = match of_home {
        IpAddr::V4(_) => (Ipv4Addr::UNSPECIFIED.into(), IpAddr::from([192, 0, 2, 1])),
        IpAddr::V6(_) => (Ipv6Addr::UNSPECIFIED.into(), IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1])),
    };
    let by_route = || -> Option<IpAddr> {
        let socket = UdpSocket::bind(SocketAddr::new(any, 0)).ok()?;
        socket.connect((outside, 9)).ok()?;
        Some(socket.local_addr().ok()?.ip())
    };
    let is_usable = |ip: &IpAddr| is_outside(SocketAddr::new(*ip, 1));
    by_route().filter(is_usable).or_else(|| {
        let addresses = getifaddrs().ok()?.filter_map(|entry| entry.address);
        let ip = |address: nix::sys::socket::SockaddrStorage| match of_home {
            IpAddr::V4(_) => address.as_sockaddr_in().map(|address| IpAddr::from(address.ip())),
            IpAddr::V6(_) => address.as_sockaddr_in6().map(|address| IpAddr::from(address.ip())),
        };
        addresses.filter_map(ip).find(is_usable)
    })
}

/// Whether something outside is meant: not this machine's loopback, which is another one in the container, by whatever
/// address it could be reached, and nothing that is for a whole link.
fn is_outside(destination: SocketAddr) -> bool {
    let ip = destination.ip().to_canonical();
    if destination.port() == 0 || ip.is_loopback() || ip.is_unspecified() || ip.is_multicast() {
        return false;
    }
    match ip {
        // The kernel takes all of 0.0.0.0/8 for something of this machine.
        IpAddr::V4(ip) => ip.octets()[0] != 0 && !ip.is_broadcast(),
        // Addresses of a link mean nothing on another; those that carry one of IPv4 (`::127.0.0.1`) lead back.
        IpAddr::V6(ip) => ip.segments()[..6] != [0; 6] && ip.segments()[0] & 0xffc0 != 0xfe80,
    }
}

#[cfg(test)]
mod tests {
    use super::is_outside;

    #[test]
    fn loopback_and_links_are_not_outside() {
        for inside in [
            "127.0.0.1:80",
            "127.9.9.9:80",
            "0.0.0.0:80",
            "0.1.2.3:80",
            "224.0.0.1:80",
            "255.255.255.255:80",
            "10.0.0.1:0",
            "[::1]:80",
            "[::]:80",
            "[::ffff:127.0.0.1]:80",
            "[::127.0.0.1]:80",
            "[fe80::1]:80",
            "[ff02::1]:80",
        ] {
            assert!(!is_outside(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["10.0.0.1:80", "192.0.2.1:1", "[2001:db8::1]:80", "[fd00::1]:80", "[::ffff:192.0.2.1]:80"] {
            assert!(is_outside(outside.parse().unwrap()), "{outside}");
        }
    }
}
