//! Changes, which the kernel makes together or not at all.

use super::map::{Map, address_and_port};
use super::rule::Rule;
use super::socket::NftSocket;
use super::{DATA_VALUE, Family, LIST_ELEMENT, chain, element, message_type, rule_attribute, set, table};
use crate::sys::netlink::{Attributes, Refusal, Request};
use libc::{
    NF_INET_FORWARD, NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING, NF_INET_PRE_ROUTING, NFNL_MSG_BATCH_BEGIN,
    NFNL_MSG_BATCH_END, NFNL_SUBSYS_NFTABLES, NFT_MSG_DELRULE, NFT_MSG_DELSETELEM, NFT_MSG_DELTABLE, NFT_MSG_NEWCHAIN,
    NFT_MSG_NEWRULE, NFT_MSG_NEWSET, NFT_MSG_NEWSETELEM, NFT_MSG_NEWTABLE, NFT_SET_MAP, NLM_F_ACK, NLM_F_APPEND,
    NLM_F_CREATE, NLM_F_EXCL,
};
use std::net::SocketAddr;

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
            request.message(change.kind, change.flags | acknowledge, &batch.family.header(), |attributes| {
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
    /// Packets that came in, with their connection known, before they are routed.
    ManglePrerouting,
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
            Self::ManglePrerouting => ("filter", NF_INET_PRE_ROUTING, libc::NF_IP_PRI_MANGLE),
            Self::NatPrerouting => ("nat", NF_INET_PRE_ROUTING, libc::NF_IP_PRI_NAT_DST),
            Self::NatOutput => ("nat", NF_INET_LOCAL_OUT, libc::NF_IP_PRI_NAT_DST),
            Self::NatPostrouting => ("nat", NF_INET_POST_ROUTING, libc::NF_IP_PRI_NAT_SRC),
            Self::FilterForward => ("filter", NF_INET_FORWARD, libc::NF_IP_PRI_FILTER),
        }
    }
}

/// Changes in the order in which they are made.
#[derive(Default)]
pub struct Batch {
    family: Family,
    changes: Vec<Change>,
}

struct Change {
    kind: u16,
    flags: i32,
    attributes: Vec<u8>,
}

impl Batch {
    /// No change yet, to tables of our own.
    pub fn new() -> Self {
        Self::default()
    }

    /// No change yet, to tables of this family.
    pub fn of(family: Family) -> Self {
        Self { family, ..Self::default() }
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
        let (key_type, key_length, data_type, data_length) = map.types();
        // The kernel wants a number by which rules of the same batch could name the set.
        let id = self.changes.len() as u32;
        self.push(NFT_MSG_NEWSET, NLM_F_CREATE, |set| {
            set.string(set::TABLE, table);
            set.string(set::NAME, map.name());
            set.be32(set::FLAGS, NFT_SET_MAP as u32);
            set.be32(set::KEY_TYPE, key_type);
            set.be32(set::KEY_LENGTH, key_length);
            set.be32(set::DATA_TYPE, data_type);
            set.be32(set::DATA_LENGTH, data_length);
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

    /// Makes a chain that rules jump to.
    pub fn add_plain_chain(&mut self, table: &str, name: &str) {
        self.push(NFT_MSG_NEWCHAIN, NLM_F_CREATE, |chain| {
            chain.string(chain::TABLE, table);
            chain.string(chain::NAME, name);
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
    pub fn add_element(&mut self, table: &str, map: Map, published: SocketAddr, target: SocketAddr) {
        self.element(NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_EXCL, table, map, published, Some(target));
    }

    /// Deletes an element; refused with `ENOENT` when there is none.
    pub fn delete_element(&mut self, table: &str, map: Map, published: SocketAddr) {
        self.element(NFT_MSG_DELSETELEM, 0, table, map, published, None);
    }

    fn element(
        &mut self,
        operation: i32,
        flags: i32,
        table: &str,
        map: Map,
        published: SocketAddr,
        target: Option<SocketAddr>,
    ) {
        self.push(operation, flags, |list| {
            list.string(element::LIST_TABLE, table);
            list.string(element::LIST_SET, map.name());
            list.nested(element::LIST_ELEMENTS, |elements| {
                elements.nested(LIST_ELEMENT, |element| {
                    element.nested(element::KEY, |key| key.bytes(DATA_VALUE, &map.key(published)));
                    if let Some(target) = target {
                        let target = address_and_port(target);
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
