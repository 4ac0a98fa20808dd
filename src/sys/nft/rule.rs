//! Rules: what has to match, and what happens then.

use super::expression::Expression;
use super::map::{Map, address_and_port};
use crate::sys::netlink::{Attributes, octets};
use libc::{
    IPPROTO_TCP, IPPROTO_UDP, NF_ACCEPT, NF_DROP, NFPROTO_IPV4, NFPROTO_IPV6, NFT_CMP_EQ, NFT_CMP_NEQ, NFT_CT_STATE,
    NFT_CT_STATUS, NFT_META_IIFNAME, NFT_META_L4PROTO, NFT_META_NFPROTO, NFT_META_OIFNAME, NFT_PAYLOAD_NETWORK_HEADER,
    NFT_PAYLOAD_TRANSPORT_HEADER, NFT_REG32_00, RTN_LOCAL,
};
use std::net::{IpAddr, SocketAddr};

/// Offsets of the addresses in an IPv4 and an IPv6 header, and of the destination port in a TCP or UDP header.
const SOURCE_ADDRESS: [u32; 2] = [12, 8];
const DESTINATION_ADDRESS: [u32; 2] = [16, 24];
const DESTINATION_PORT: u32 = 2;
/// `NF_CT_STATE_BIT` of established and related connections.
const STATE_ESTABLISHED_OR_RELATED: u32 = (1 << 1) | (1 << 2);
/// `IPS_DST_NAT`: the connection's destination was translated.
const STATUS_DESTINATION_NAT: u32 = 1 << 5;

/// Which link a packet came by or leaves by.
#[derive(Clone, Copy, Debug)]
pub enum Interface<'a> {
    /// This one.
    Is(&'a str),
    /// Any other.
    IsNot(&'a str),
    /// One whose name starts so.
    StartsWith(&'a str),
}

/// A rule in the making: matches in order, then what happens.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Rule(Vec<Expression>);

impl Rule {
    /// Matches everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// The link that the packet came by.
    pub fn input(self, interface: Interface<'_>) -> Self {
        self.interface(NFT_META_IIFNAME, interface)
    }

    /// The link that the packet leaves by.
    pub fn output(self, interface: Interface<'_>) -> Self {
        self.interface(NFT_META_OIFNAME, interface)
    }

    fn interface(self, key: i32, interface: Interface<'_>) -> Self {
        // A whole name is compared with its padding; a part of one without.
        let padded = |name: &str| {
            let mut bytes = name.as_bytes().to_vec();
            bytes.resize(libc::IFNAMSIZ, 0);
            bytes
        };
        let (operator, bytes) = match interface {
            Interface::Is(name) => (NFT_CMP_EQ, padded(name)),
            Interface::IsNot(name) => (NFT_CMP_NEQ, padded(name)),
            Interface::StartsWith(start) => (NFT_CMP_EQ, start.as_bytes().to_vec()),
        };
        self.then(Expression::Meta(key)).then(Expression::Compare(operator, bytes))
    }

    /// The packet comes from an address of this network.
    pub fn from_network(self, network: IpAddr, prefix: u8) -> Self {
        self.network(SOURCE_ADDRESS, NFT_CMP_EQ, network, prefix)
    }

    /// The packet goes to an address of this network.
    pub fn to_network(self, network: IpAddr, prefix: u8) -> Self {
        self.network(DESTINATION_ADDRESS, NFT_CMP_EQ, network, prefix)
    }

    /// The packet goes to an address of the same family that is not of this network.
    pub fn not_to_network(self, network: IpAddr, prefix: u8) -> Self {
        self.network(DESTINATION_ADDRESS, NFT_CMP_NEQ, network, prefix)
    }

    fn network(self, offsets: [u32; 2], comparison: i32, network: IpAddr, prefix: u8) -> Self {
        let bytes = octets(network);
        let mask: Vec<u8> = (0..bytes.len() as u32)
            .map(|byte| u8::MAX.checked_shl(8 - u32::from(prefix).saturating_sub(byte * 8).min(8)).unwrap_or(0))
            .collect();
        let offset = offsets[usize::from(network.is_ipv6())];
        self.family(network.is_ipv6())
            .then(load(NFT_PAYLOAD_NETWORK_HEADER, offset, bytes.len() as u32, NFT_REG32_00))
            .then(Expression::Mask(mask))
            .then(Expression::Compare(comparison, bytes))
    }

    /// The packet is one of IPv4, or of IPv6: a table of ours sees both.
    fn family(self, is_ipv6: bool) -> Self {
        let family = if is_ipv6 { NFPROTO_IPV6 } else { NFPROTO_IPV4 };
        self.then(Expression::Meta(NFT_META_NFPROTO)).then(Expression::Compare(NFT_CMP_EQ, vec![family as u8]))
    }

    /// The packet goes to an address of the host itself.
    pub fn to_this_host(self) -> Self {
        self.then(Expression::DestinationType)
            .then(Expression::Compare(NFT_CMP_EQ, u32::from(RTN_LOCAL).to_ne_bytes().to_vec()))
    }

    /// The packet belongs to a connection that was let through before.
    pub fn established(self) -> Self {
        self.connection(NFT_CT_STATE, STATE_ESTABLISHED_OR_RELATED)
    }

    /// The packet's destination was translated: it came to a published port.
    pub fn published(self) -> Self {
        self.connection(NFT_CT_STATUS, STATUS_DESTINATION_NAT)
    }

    fn connection(self, key: i32, bits: u32) -> Self {
        self.then(Expression::Connection(key))
            .then(Expression::Mask(bits.to_ne_bytes().to_vec()))
            .then(Expression::Compare(NFT_CMP_NEQ, vec![0; 4]))
    }

    /// Sends the packet where the map leads its destination; without an entry the next rule is tried.
    pub fn destination_nat(self, map: Map) -> Self {
        let length = map.address_length();
        let rule = self.family(map.is_ipv6()).protocol(map.is_tcp());
        let rule = if map.has_address() {
            let offset = DESTINATION_ADDRESS[usize::from(map.is_ipv6())];
            rule.then(load(NFT_PAYLOAD_NETWORK_HEADER, offset, length as u32, NFT_REG32_00)).then(load(
                NFT_PAYLOAD_TRANSPORT_HEADER,
                DESTINATION_PORT,
                2,
                NFT_REG32_00 + (length / 4) as i32,
            ))
        } else {
            rule.then(load(NFT_PAYLOAD_TRANSPORT_HEADER, DESTINATION_PORT, 2, NFT_REG32_00))
        };
        rule.then(Expression::Lookup(map.name())).then(Expression::DestinationNat(length))
    }

    /// Sends packets to an address and TCP or UDP port to another one.
    pub fn redirect(self, from: SocketAddr, is_tcp: bool, to: SocketAddr) -> Self {
        let bits = if from.is_ipv6() { 128 } else { 32 };
        self.to_network(from.ip(), bits)
            .protocol(is_tcp)
            .then(load(NFT_PAYLOAD_TRANSPORT_HEADER, DESTINATION_PORT, 2, NFT_REG32_00))
            .then(Expression::Compare(NFT_CMP_EQ, from.port().to_be_bytes().to_vec()))
            .then(Expression::Load(NFT_REG32_00, address_and_port(to)))
            .then(Expression::DestinationNat(octets(to.ip()).len()))
    }

    /// The machine has no route to where the packet goes, and is not there itself.
    pub fn to_nowhere(self) -> Self {
        self.then(Expression::DestinationLink).then(Expression::Compare(NFT_CMP_EQ, vec![0; 4]))
    }

    /// The packet is for a socket that has an address of others.
    pub fn to_transparent_socket(self) -> Self {
        self.then(Expression::IsTransparent).then(Expression::Compare(NFT_CMP_EQ, vec![1]))
    }

    /// Gives TCP or UDP packets, whatever their destination is, to a transparent socket of this machine.
    pub fn to_proxy(self, is_tcp: bool, socket: SocketAddr) -> Self {
        let address = octets(socket.ip());
        let length = address.len();
        self.family(socket.is_ipv6())
            .protocol(is_tcp)
            .then(Expression::Load(NFT_REG32_00, address))
            .then(Expression::Load(NFT_REG32_00 + (length / 4) as i32, socket.port().to_be_bytes().to_vec()))
            .then(Expression::TransparentProxy(length))
    }

    /// Sends TCP packets of a family to a port of this machine.
    pub fn to_port(self, is_ipv6: bool, port: u16) -> Self {
        self.family(is_ipv6)
            .protocol(true)
            .then(Expression::Load(NFT_REG32_00, port.to_be_bytes().to_vec()))
            .then(Expression::Redirect)
    }

    /// Gives the packet a mark, which routing rules can ask for.
    pub fn mark(self, mark: u32) -> Self {
        self.then(Expression::Load(NFT_REG32_00, mark.to_ne_bytes().to_vec())).then(Expression::SetMark)
    }

    fn protocol(self, is_tcp: bool) -> Self {
        let protocol = if is_tcp { IPPROTO_TCP } else { IPPROTO_UDP };
        self.then(Expression::Meta(NFT_META_L4PROTO)).then(Expression::Compare(NFT_CMP_EQ, vec![protocol as u8]))
    }

    /// Goes on in another chain.
    pub fn jump(self, chain: &str) -> Self {
        self.then(Expression::Jump(chain.to_owned()))
    }

    /// The packet gets the address of the link it leaves by.
    pub fn masquerade(self) -> Self {
        self.then(Expression::Masquerade)
    }

    /// The packet may go on to the next chain.
    pub fn accept(self) -> Self {
        self.then(Expression::Verdict(NF_ACCEPT))
    }

    /// The packet is thrown away.
    pub fn drop_packet(self) -> Self {
        self.then(Expression::Verdict(NF_DROP))
    }

    /// The calling chain goes on with the packet.
    pub fn return_to_caller(self) -> Self {
        self.then(Expression::Verdict(libc::NFT_RETURN))
    }

    /// Packets are counted, as by every rule of `iptables`.
    pub fn counted(self) -> Self {
        self.then(Expression::Counter)
    }

    fn then(mut self, expression: Expression) -> Self {
        self.0.push(expression);
        self
    }

    pub(super) fn write(&self, list: &mut Attributes<'_>) {
        for expression in &self.0 {
            expression.write(list);
        }
    }
}

fn load(header: i32, offset: u32, length: u32, register: i32) -> Expression {
    Expression::Payload { header, offset, length, register }
}
