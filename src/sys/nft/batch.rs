//! Changes, which the kernel makes together or not at all.

use super::rule::Rule;
use super::socket::NftSocket;
use super::{DATA_VALUE, LIST_ELEMENT, chain, element, ipv4_header, message_type, rule_attribute, set, table};
use crate::sys::netlink::{Attributes, Refusal, Request};
use libc::{
    NF_INET_FORWARD, NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING, NF_INET_PRE_ROUTING, NFNL_MSG_BATCH_BEGIN,
    NFNL_MSG_BATCH_END, NFNL_SUBSYS_NFTABLES, NFT_MSG_DELRULE, NFT_MSG_DELSETELEM, NFT_MSG_DELTABLE, NFT_MSG_NEWCHAIN,
    NFT_MSG_NEWRULE, NFT_MSG_NEWSET, NFT_MSG_NEWSETELEM, NFT_MSG_NEWTABLE, NFT_SET_MAP, NLM_F_ACK, NLM_F_APPEND,
    NLM_F_CREATE, NLM_F_EXCL,
};
use std::net::{Ipv4Addr, SocketAddrV4};

impl NftSocket {
    /// Makes all changes of a batch, or none of them.
    pub fn commit(&mut self, batch: Batch) -> Result<(), Refusal> {
        if batch.changes.is_empty() {
            return Ok(());
        }
        let mut request = Request::new();
        batch_limit(&mut request, NFNL_MSG_BATCH_BEGIN);
        let last = batch.changes.len() - 1;
        for (number, change) in batch.changes.into_iter().enumerate() {
            // A refusal is reported in any case; one acknowledgement says that the batch is through.
            let acknowledge = if number == last { NLM_F_ACK } else { 0 };
            request.message(change.kind, change.flags | acknowledge, &ipv4_header(), |attributes| {
                attributes.raw(&change.attributes);
            });
        }
        batch_limit(&mut request, NFNL_MSG_BATCH_END);
        self.0.exchange(&request).map(drop)
    }
}

/// `struct nfgenmsg` of a batch: its resource id names the subsystem.
fn batch_limit(request: &mut Request, kind: i32) {
    let [high, low] = (NFNL_SUBSYS_NFTABLES as u16).to_be_bytes();
    request.message(kind as u16, 0, &[0, 0, high, low], |_| {});
}

/// Where and when the kernel calls a chain.
#[derive(Clone, Copy, Debug)]
pub enum Hook {
    /// Packets that came in, before connection tracking.
    RawPrerouting,
    /// Destination NAT of packets that came in.
    NatPrerouting,
    /// Destination NAT of the host's own packets.
    NatOutput,
    /// Source NAT of packets that go out.
    NatPostrouting,
    /// Packets that go through the host.
    FilterForward,
}

impl Hook {
    /// Type, number of the hook, priority.
    const fn parts(self) -> (&'static str, i32, i32) {
        match self {
            Self::RawPrerouting => ("filter", NF_INET_PRE_ROUTING, libc::NF_IP_PRI_RAW),
            Self::NatPrerouting => ("nat", NF_INET_PRE_ROUTING, libc::NF_IP_PRI_NAT_DST),
            Self::NatOutput => ("nat", NF_INET_LOCAL_OUT, libc::NF_IP_PRI_NAT_DST),
            Self::NatPostrouting => ("nat", NF_INET_POST_ROUTING, libc::NF_IP_PRI_NAT_SRC),
            Self::FilterForward => ("filter", NF_INET_FORWARD, libc::NF_IP_PRI_FILTER),
        }
    }
}

/// A map from a published address or port to a container's address and port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Map {
    /// `tcp_addresses`: (address of the host, TCP port).
    TcpAddresses,
    /// `tcp_ports`: TCP port on every address of the host.
    TcpPorts,
    /// `udp_addresses`: (address of the host, UDP port).
    UdpAddresses,
    /// `udp_ports`: UDP port on every address of the host.
    UdpPorts,
}

/// nft's numbers of its data types (`enum datatypes` of nft; the kernel only keeps them for it).
const TYPE_IPV4_ADDRESS: u32 = 7;
const TYPE_INET_SERVICE: u32 = 13;
/// A concatenation is its types, six bits each.
const TYPE_ADDRESS_AND_SERVICE: u32 = (TYPE_IPV4_ADDRESS << 6) | TYPE_INET_SERVICE;
/// Each part of a concatenation starts at a register of four bytes.
const ADDRESS_AND_PORT: usize = 8;

impl Map {
    /// All four.
    pub const ALL: [Self; 4] = [Self::TcpAddresses, Self::TcpPorts, Self::UdpAddresses, Self::UdpPorts];

    /// Its name in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TcpAddresses => "tcp_addresses",
            Self::TcpPorts => "tcp_ports",
            Self::UdpAddresses => "udp_addresses",
            Self::UdpPorts => "udp_ports",
        }
    }

    /// Whether its keys have an address.
    pub const fn has_address(self) -> bool {
        matches!(self, Self::TcpAddresses | Self::UdpAddresses)
    }

    pub(super) fn key(self, address: SocketAddrV4) -> Vec<u8> {
        if self.has_address() {
            address_and_port(*address.ip(), address.port()).to_vec()
        } else {
            address.port().to_be_bytes().to_vec()
        }
    }
}

fn address_and_port(ip: Ipv4Addr, port: u16) -> [u8; ADDRESS_AND_PORT] {
    let mut bytes = [0; ADDRESS_AND_PORT];
    bytes[..4].copy_from_slice(&ip.octets());
    bytes[4..6].copy_from_slice(&port.to_be_bytes());
    bytes
}

/// Changes in the order in which they are made.
#[derive(Default)]
pub struct Batch {
    changes: Vec<Change>,
}

struct Change {
    kind: u16,
    flags: i32,
    attributes: Vec<u8>,
}

impl Batch {
    /// No change yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a table, if it does not exist.
    pub fn add_table(&mut self, name: &str) {
        self.push(NFT_MSG_NEWTABLE, NLM_F_CREATE, |table| table.string(table::NAME, name));
    }

    /// Deletes a table with everything in it.
    pub fn delete_table(&mut self, name: &str) {
        self.push(NFT_MSG_DELTABLE, 0, |table| table.string(table::NAME, name));
    }

    /// Makes a map in a table.
    pub fn add_map(&mut self, table: &str, map: Map) {
        let (key_type, key_length) = if map.has_address() {
            (TYPE_ADDRESS_AND_SERVICE, ADDRESS_AND_PORT as u32)
        } else {
            (TYPE_INET_SERVICE, 2)
        };
        // The kernel wants a number by which rules of the same batch could name the set.
        let id = self.changes.len() as u32;
        self.push(NFT_MSG_NEWSET, NLM_F_CREATE, |set| {
            set.string(set::TABLE, table);
            set.string(set::NAME, map.name());
            set.be32(set::FLAGS, NFT_SET_MAP as u32);
            set.be32(set::KEY_TYPE, key_type);
            set.be32(set::KEY_LENGTH, key_length);
            set.be32(set::DATA_TYPE, TYPE_ADDRESS_AND_SERVICE);
            set.be32(set::DATA_LENGTH, ADDRESS_AND_PORT as u32);
            set.be32(set::ID, id);
        });
    }

    /// Makes a chain that the kernel calls; what no rule decides goes on.
    pub fn add_chain(&mut self, table: &str, name: &str, hook: Hook) {
        let (kind, number, priority) = hook.parts();
        self.push(NFT_MSG_NEWCHAIN, NLM_F_CREATE, |chain| {
            chain.string(chain::TABLE, table);
            chain.string(chain::NAME, name);
            chain.nested(chain::HOOK, |hook| {
                hook.be32(chain::HOOK_NUMBER, number as u32);
                hook.be32(chain::HOOK_PRIORITY, priority as u32);
            });
            chain.string(chain::TYPE, kind);
            chain.be32(chain::POLICY, libc::NF_ACCEPT as u32);
        });
    }

    /// Puts a rule at the end of a chain.
    pub fn append_rule(&mut self, table: &str, chain: &str, rule: &Rule) {
        self.rule(NLM_F_APPEND, table, chain, rule, None);
    }

    /// Puts a rule with a comment at the start of a chain.
    pub fn insert_rule(&mut self, table: &str, chain: &str, rule: &Rule, comment: &str) {
        self.rule(0, table, chain, rule, Some(comment));
    }

    fn rule(&mut self, position: i32, table: &str, chain: &str, rule: &Rule, comment: Option<&str>) {
        self.push(NFT_MSG_NEWRULE, NLM_F_CREATE | position, |attributes| {
            attributes.string(rule_attribute::TABLE, table);
            attributes.string(rule_attribute::CHAIN, chain);
            attributes.nested(rule_attribute::EXPRESSIONS, |list| rule.write(list));
            if let Some(comment) = comment {
                // Type, length and a string with its zero byte.
                let mut data = vec![rule_attribute::USER_DATA_COMMENT, comment.len() as u8 + 1];
                data.extend_from_slice(comment.as_bytes());
                data.push(0);
                attributes.bytes(rule_attribute::USER_DATA, &data);
            }
        });
    }

    /// Deletes one rule, by the handle that listing it gave.
    pub fn delete_rule(&mut self, table: &str, chain: &str, handle: u64) {
        self.push(NFT_MSG_DELRULE, 0, |rule| {
            rule.string(rule_attribute::TABLE, table);
            rule.string(rule_attribute::CHAIN, chain);
            rule.bytes(rule_attribute::HANDLE, &handle.to_be_bytes());
        });
    }

    /// Adds an element; refused with `EEXIST` when the map leads the same key elsewhere.
    pub fn add_element(&mut self, table: &str, map: Map, published: SocketAddrV4, target: SocketAddrV4) {
        self.element(NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_EXCL, table, map, published, Some(target));
    }

    /// Deletes an element; refused with `ENOENT` when there is none.
    pub fn delete_element(&mut self, table: &str, map: Map, published: SocketAddrV4) {
        self.element(NFT_MSG_DELSETELEM, 0, table, map, published, None);
    }

    fn element(
        &mut self,
        operation: i32,
        flags: i32,
        table: &str,
        map: Map,
        published: SocketAddrV4,
        target: Option<SocketAddrV4>,
    ) {
        self.push(operation, flags, |list| {
            list.string(element::LIST_TABLE, table);
            list.string(element::LIST_SET, map.name());
            list.nested(element::LIST_ELEMENTS, |elements| {
                elements.nested(LIST_ELEMENT, |element| {
                    element.nested(element::KEY, |key| key.bytes(DATA_VALUE, &map.key(published)));
                    if let Some(target) = target {
                        let target = address_and_port(*target.ip(), target.port());
                        element.nested(element::DATA, |data| data.bytes(DATA_VALUE, &target));
                    }
                });
            });
        });
    }

    fn push(&mut self, operation: i32, flags: i32, attributes: impl FnOnce(&mut Attributes<'_>)) {
        self.changes.push(Change { kind: message_type(operation), flags, attributes: Attributes::collect(attributes) });
    }
}
