//! What is said to a packet: an answer of our own, nothing, or what others say.

use super::directory::Family;
use super::query::Query;
use super::zone::Zone;
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::rdata::{A, AAAA, PTR};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use std::net::IpAddr;

/// How long an answer may be kept, seconds: for the transaction in progress only (RFC 1035, section 3.2.1). A
/// container may stop, and another one get its address, at any time; asking again takes a tenth of a millisecond.
const TTL: u32 = 0;

/// How a packet came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// As a datagram.
    Udp,
    /// Over a connection.
    Tcp,
}

/// What is said to a packet.
#[derive(Debug)]
pub enum Verdict {
    /// Nothing.
    Silence,
    /// This.
    Reply(Vec<u8>),
    /// What the servers of others say.
    Forward(Query),
}

/// What is said to a packet of a container that sees `zone`. Never waits for anyone.
pub fn answer(zone: &Zone, packet: &[u8], transport: Transport) -> Verdict {
    let reply = match Query::parse(packet) {
        Err(refusal) => refusal,
        Ok(query) => match records(zone, &query) {
            Some(records) => query.reply(ResponseCode::NoError, records, transport),
            None if zone.forwards() => return Verdict::Forward(query),
            None => query.reply(ResponseCode::ServFail, Vec::new(), transport),
        },
    };
    reply.map_or(Verdict::Silence, Verdict::Reply)
}

/// The records that answer a query: none for a name that is known and has no such records, so that nobody else is
/// asked for it; `None` for a name that is not known.
fn records(zone: &Zone, query: &Query) -> Option<Vec<Record>> {
    let kind = query.question.query_type();
    let internet = matches!(query.question.query_class(), DNSClass::IN | DNSClass::ANY);
    if let Some(address) = asked_address(query)
        && let Some((name, network)) = zone.name_of(address)
    {
        let wanted = internet && matches!(kind, RecordType::PTR | RecordType::ANY);
        let name = wanted.then(|| absolute(&format!("{name}.{network}"))).flatten();
        return Some(name.map(|name| record(query, RData::PTR(PTR(name)))).into_iter().collect());
    }
    let name = query.name()?;
    let families: &[Family] = match kind {
        RecordType::A => &[Family::V4],
        RecordType::AAAA => &[Family::V6],
        _ => &[Family::V4, Family::V6],
    };
    let addresses: Vec<Vec<IpAddr>> = families.iter().filter_map(|family| zone.addresses(&name, *family)).collect();
    if addresses.is_empty() {
        return None;
    }
    if !internet || !matches!(kind, RecordType::A | RecordType::AAAA | RecordType::ANY) {
        return Some(Vec::new());
    }
    let data = addresses.into_iter().flatten().map(|address| match address {
        IpAddr::V4(address) => RData::A(A(address)),
        IpAddr::V6(address) => RData::AAAA(AAAA(address)),
    });
    Some(data.map(|data| record(query, data)).collect())
}

/// The address that a name below `in-addr.arpa` or `ip6.arpa` stands for.
fn asked_address(query: &Query) -> Option<IpAddr> {
    let net = query.question.name().parse_arpa_name().ok()?;
    (net.prefix_len() == net.max_prefix_len()).then(|| net.addr())
}

fn record(query: &Query, data: RData) -> Record {
    Record::from_rdata(query.question.name().clone(), TTL, data)
}

/// A name as it is sent; `None` when it is longer than one can be.
fn absolute(name: &str) -> Option<Name> {
    let labels = name.split('.').filter(|label| !label.is_empty()).map(str::as_bytes);
    let mut name = Name::from_labels(labels).ok()?;
    name.set_fqdn(true);
    Some(name)
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
