//! Forgets connections that the kernel tracks (`include/uapi/linux/netfilter/nfnetlink_conntrack.h`).

use super::message::{Attributes, Reply, Request, attribute, attributes};
use super::route::ip_of;
use super::socket::{NetlinkSocket, Refusal};
use crate::error::Result;
use libc::{AF_INET, AF_INET6, IPPROTO_UDP, NFNL_SUBSYS_CTNETLINK, NLM_F_ACK, NLM_F_DUMP};
use nix::errno::Errno;
use nix::sys::socket::SockProtocol;
use std::net::IpAddr;

const GET: i32 = 1;
const DELETE: i32 = 2;
/// `CTA_TUPLE_ORIG` and `CTA_TUPLE_REPLY`; in a tuple `CTA_TUPLE_IP` and `CTA_TUPLE_PROTO`; in those the addresses, source first,
/// and the number of the protocol.
const ORIGINAL: u16 = 1;
const REPLY: u16 = 2;
const TUPLE_IP: u16 = 1;
const TUPLE_PROTOCOL: u16 = 2;
const SOURCES: [u16; 2] = [1, 3];
const PROTOCOL_NUMBER: u16 = 1;
const PROTOCOL_SOURCE_PORT: u16 = 2;
/// Length of `struct nfgenmsg`.
const HEADER: usize = 4;

/// Forgets the UDP connections that are answered by one of these addresses and port: a client that goes on sending is led to
/// who has the published port now, not to who had it.
pub fn forget_udp(answered_by: &[(IpAddr, u16)]) -> Result<()> {
    let doing = |refusal: Refusal| refusal.doing("cannot forget connections to a published port");
    let mut socket = NetlinkSocket::open(SockProtocol::NetlinkNetFilter)?;
    for family in [AF_INET, AF_INET6] {
        let header = [family as u8, 0, 0, 0];
        let mut request = Request::new();
        request.message(kind(GET), NLM_F_DUMP, &header, |_| {});
        let tracked = match socket.exchange(&request) {
            // This kernel can be asked nothing about connections (`nf_conntrack_netlink`): they end by themselves, later.
            Err(refusal) if matches!(refusal.errno, Errno::EINVAL | Errno::EOPNOTSUPP | Errno::ENOENT) => return Ok(()),
            tracked => tracked.map_err(doing)?,
        };
        for reply in tracked {
            let Some(original) = original_of(&reply, answered_by) else { continue };
            let mut request = Request::new();
            request.message(kind(DELETE), NLM_F_ACK, &header, |message| {
                message.nested(ORIGINAL, |tuple: &mut Attributes<'_>| tuple.raw(original));
            });
            match socket.exchange(&request) {
                Err(refusal) if refusal.errno != Errno::ENOENT => return Err(doing(refusal)),
                _ => {}
            }
        }
    }
    Ok(())
}

const fn kind(operation: i32) -> u16 {
    ((NFNL_SUBSYS_CTNETLINK << 8) | operation) as u16
}

/// The original tuple of a UDP connection whose answers come from one of these.
fn original_of<'a>(reply: &'a Reply, answered_by: &[(IpAddr, u16)]) -> Option<&'a [u8]> {
    let body = reply.body.get(HEADER..)?;
    let answer = attribute(body, REPLY)?;
    let protocol = attribute(answer, TUPLE_PROTOCOL)?;
    if attribute(protocol, PROTOCOL_NUMBER)? != [IPPROTO_UDP as u8] {
        return None;
    }
    let port = u16::from_be_bytes(attribute(protocol, PROTOCOL_SOURCE_PORT)?.try_into().ok()?);
    let addresses = attribute(answer, TUPLE_IP)?;
    let source = attributes(addresses).find(|(kind, _)| SOURCES.contains(kind)).and_then(|(_, bytes)| ip_of(bytes))?;
    if answered_by.contains(&(source, port)) { attribute(body, ORIGINAL) } else { None }
}
