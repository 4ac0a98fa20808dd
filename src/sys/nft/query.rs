//! What is there: tables, chains, rules, elements.

use super::map::{Map, socket_address};
use super::socket::NftSocket;
use super::{DATA_VALUE, FAMILY_HEADER, Family, LIST_ELEMENT, chain, element, message_type, rule_attribute, table};
use crate::sys::netlink::{Attributes, Refusal, Reply, Request, attribute, attributes};
use libc::{NFT_MSG_GETCHAIN, NFT_MSG_GETRULE, NFT_MSG_GETSETELEM, NFT_MSG_GETTABLE, NLM_F_ACK, NLM_F_DUMP};
use nix::errno::Errno;
use std::net::SocketAddr;

/// An element of a [`Map`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element {
    /// Address (unspecified where the map has none) and port of the host.
    pub published: SocketAddr,
    /// Address and port of the container.
    pub target: SocketAddr,
}

/// A rule as the kernel lists it.
#[derive(Clone, Debug)]
pub struct ListedRule {
    /// Its number in the table, for deleting it.
    pub handle: u64,
    /// Its comment.
    pub comment: Option<String>,
}

impl NftSocket {
    /// Whether there is such a table of ours.
    pub fn has_table(&mut self, name: &str) -> Result<bool, Refusal> {
        let found = self.get(Family::Inet, NFT_MSG_GETTABLE, NLM_F_ACK, |table| table.string(table::NAME, name))?;
        Ok(!found.is_empty())
    }

    /// The names of all tables of our kind.
    pub fn tables(&mut self) -> Result<Vec<String>, Refusal> {
        let tables = self.get(Family::Inet, NFT_MSG_GETTABLE, NLM_F_DUMP, |_| {})?;
        Ok(tables.iter().filter_map(|reply| text(attribute(content(reply)?, table::NAME)?)).collect())
    }

    /// Whether a chain drops what no rule of it decides; `None`: there is no such chain.
    pub fn chain_drops(&mut self, family: Family, table: &str, name: &str) -> Result<Option<bool>, Refusal> {
        let found = self.get(family, NFT_MSG_GETCHAIN, NLM_F_ACK, |chain| {
            chain.string(chain::TABLE, table);
            chain.string(chain::NAME, name);
        })?;
        let Some(attributes) = found.first().and_then(content) else { return Ok(None) };
        let policy = attribute(attributes, chain::POLICY).and_then(|value| value.try_into().ok());
        Ok(Some(policy.map(i32::from_be_bytes) == Some(libc::NF_DROP)))
    }

    /// Whether there is such a chain in a table of ours.
    pub fn has_chain(&mut self, table: &str, name: &str) -> Result<bool, Refusal> {
        Ok(self.chain_drops(Family::Inet, table, name)?.is_some())
    }

    /// The rules of a chain; none when there is no such chain.
    pub fn rules(&mut self, family: Family, table: &str, chain: &str) -> Result<Vec<ListedRule>, Refusal> {
        let rules = self.get(family, NFT_MSG_GETRULE, NLM_F_DUMP, |rule| {
            rule.string(rule_attribute::TABLE, table);
            rule.string(rule_attribute::CHAIN, chain);
        })?;
        Ok(rules.iter().filter_map(listed_rule).collect())
    }

    /// The elements of a map; none when there is no such map.
    pub fn elements(&mut self, table: &str, map: Map) -> Result<Vec<Element>, Refusal> {
        let lists = self.get(Family::Inet, NFT_MSG_GETSETELEM, NLM_F_DUMP, |list| {
            list.string(element::LIST_TABLE, table);
            list.string(element::LIST_SET, map.name());
        })?;
        Ok(listed_elements(map, &lists).collect())
    }

    /// The element under a key.
    pub fn element(&mut self, table: &str, map: Map, published: SocketAddr) -> Result<Option<Element>, Refusal> {
        let found = self.get(Family::Inet, NFT_MSG_GETSETELEM, NLM_F_ACK, |list| {
            list.string(element::LIST_TABLE, table);
            list.string(element::LIST_SET, map.name());
            list.nested(element::LIST_ELEMENTS, |elements| {
                elements.nested(LIST_ELEMENT, |element| {
                    element.nested(element::KEY, |key| key.bytes(DATA_VALUE, &map.key(published)));
                });
            });
        })?;
        Ok(listed_elements(map, &found).next())
    }

    fn get(
        &mut self,
        family: Family,
        operation: i32,
        flags: i32,
        filter: impl FnOnce(&mut Attributes<'_>),
    ) -> Result<Vec<Reply>, Refusal> {
        let mut request = Request::new();
        request.message(message_type(operation), flags, &family.header(), filter);
        match self.0.exchange(&request) {
            Err(refusal) if refusal.errno == Errno::ENOENT => Ok(Vec::new()),
            result => result,
        }
    }
}

fn content(reply: &Reply) -> Option<&[u8]> {
    reply.body.get(FAMILY_HEADER..)
}

fn text(value: &[u8]) -> Option<String> {
    let value = value.strip_suffix(&[0]).unwrap_or(value);
    String::from_utf8(value.to_vec()).ok()
}

fn listed_rule(reply: &Reply) -> Option<ListedRule> {
    let attributes = content(reply)?;
    let handle = u64::from_be_bytes(attribute(attributes, rule_attribute::HANDLE)?.try_into().ok()?);
    let comment = attribute(attributes, rule_attribute::USER_DATA).and_then(|data| match data {
        [rule_attribute::USER_DATA_COMMENT, length, rest @ ..] => text(rest.get(..usize::from(*length))?),
        _ => None,
    });
    Some(ListedRule { handle, comment })
}

fn listed_elements(map: Map, replies: &[Reply]) -> impl Iterator<Item = Element> {
    replies
        .iter()
        .filter_map(|reply| attribute(content(reply)?, element::LIST_ELEMENTS))
        .flat_map(attributes)
        .filter(|(kind, _)| *kind == LIST_ELEMENT)
        .filter_map(move |(_, bytes)| listed_element(map, bytes))
}

fn listed_element(map: Map, bytes: &[u8]) -> Option<Element> {
    let key = attribute(attribute(bytes, element::KEY)?, DATA_VALUE)?;
    let target = attribute(attribute(bytes, element::DATA)?, DATA_VALUE)?;
    Some(Element { published: map.published(key)?, target: socket_address(target)? })
}
