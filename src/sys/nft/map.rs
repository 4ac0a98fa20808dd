//! The maps of published ports: from an address or port of the host to an address and port of a container.

use crate::sys::netlink::{ip_of, octets};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A map from a published address or port to a container's address and port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Map {
    /// (address of the host, TCP port).
    TcpAddresses,
    /// TCP port on every IPv4 address of the host.
    TcpPorts,
    /// (address of the host, UDP port).
    UdpAddresses,
    /// UDP port on every IPv4 address of the host.
    UdpPorts,
    /// The same for IPv6.
    Tcp6Addresses,
    /// The same for IPv6.
    Tcp6Ports,
    /// The same for IPv6.
    Udp6Addresses,
    /// The same for IPv6.
    Udp6Ports,
}

/// nft's numbers of its data types (`enum datatypes` of nft; the kernel only keeps them for it).
const TYPE_IPV4_ADDRESS: u32 = 7;
const TYPE_IPV6_ADDRESS: u32 = 8;
const TYPE_INET_SERVICE: u32 = 13;
/// Each part of a concatenation starts at a register of four bytes.
const REGISTER: usize = 4;

impl Map {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::TcpAddresses,
        Self::TcpPorts,
        Self::UdpAddresses,
        Self::UdpPorts,
        Self::Tcp6Addresses,
        Self::Tcp6Ports,
        Self::Udp6Addresses,
        Self::Udp6Ports,
    ];

    /// Its name in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TcpAddresses => "tcp_addresses",
            Self::TcpPorts => "tcp_ports",
            Self::UdpAddresses => "udp_addresses",
            Self::UdpPorts => "udp_ports",
            Self::Tcp6Addresses => "tcp6_addresses",
            Self::Tcp6Ports => "tcp6_ports",
            Self::Udp6Addresses => "udp6_addresses",
            Self::Udp6Ports => "udp6_ports",
        }
    }

    /// Whether its keys have an address.
    pub const fn has_address(self) -> bool {
        matches!(self, Self::TcpAddresses | Self::UdpAddresses | Self::Tcp6Addresses | Self::Udp6Addresses)
    }

    /// Whether it is for TCP; else for UDP.
    pub const fn is_tcp(self) -> bool {
        matches!(self, Self::TcpAddresses | Self::TcpPorts | Self::Tcp6Addresses | Self::Tcp6Ports)
    }

    /// Whether it is for IPv6.
    pub const fn is_ipv6(self) -> bool {
        matches!(self, Self::Tcp6Addresses | Self::Tcp6Ports | Self::Udp6Addresses | Self::Udp6Ports)
    }

    /// Bytes of its addresses.
    pub(super) const fn address_length(self) -> usize {
        if self.is_ipv6() { 16 } else { 4 }
    }

    /// Type and length of its keys and of its values. A concatenation is its types, six bits each.
    pub(super) const fn types(self) -> (u32, u32, u32, u32) {
        let address = if self.is_ipv6() { TYPE_IPV6_ADDRESS } else { TYPE_IPV4_ADDRESS };
        let (both, length) = ((address << 6) | TYPE_INET_SERVICE, (self.address_length() + REGISTER) as u32);
        if self.has_address() { (both, length, both, length) } else { (TYPE_INET_SERVICE, 2, both, length) }
    }

    pub(super) fn key(self, address: SocketAddr) -> Vec<u8> {
        if self.has_address() { address_and_port(address) } else { address.port().to_be_bytes().to_vec() }
    }

    /// What a key means; the address is unspecified where the map has none.
    pub(super) fn published(self, key: &[u8]) -> Option<SocketAddr> {
        if self.has_address() {
            return socket_address(key);
        }
        let any: IpAddr = if self.is_ipv6() { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
        Some(SocketAddr::new(any, port(key)?))
    }
}

pub(super) fn address_and_port(address: SocketAddr) -> Vec<u8> {
    let mut bytes = octets(address.ip());
    bytes.extend_from_slice(&address.port().to_be_bytes());
    bytes.resize(bytes.len().next_multiple_of(REGISTER), 0);
    bytes
}

pub(super) fn socket_address(bytes: &[u8]) -> Option<SocketAddr> {
    let (ip, rest) = bytes.split_at_checked(bytes.len().checked_sub(REGISTER)?)?;
    Some(SocketAddr::new(ip_of(ip)?, port(rest)?))
}

fn port(bytes: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(..2)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_back_as_they_were_written() {
        for (address, length) in [("192.0.2.1:80", 8), ("[2001:db8::1]:443", 20)] {
            let address: SocketAddr = address.parse().unwrap();
            let bytes = address_and_port(address);
            assert_eq!((bytes.len(), socket_address(&bytes)), (length, Some(address)));
        }
        assert_eq!(socket_address(&[1, 2]), None);
        assert_eq!(Map::Tcp6Ports.published(&80u16.to_be_bytes()), Some("[::]:80".parse().unwrap()));
    }
}
