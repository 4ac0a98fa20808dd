//! What both protocols do with a packet.

use super::answer::{Transport, Verdict, answer};
use super::book::Book;
use super::forward::Forwarder;
use super::spawn;
use crate::runtime::network::gate::Gate;
use hickory_proto::op::ResponseCode;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Queries that others are asked at once: a thread each, with a few pages of memory and up to three sockets. With
/// servers that take 20 ms it is enough for 12,000 queries a second.
const MOST_FORWARDED: usize = 256;

/// What both protocols share.
pub struct Service {
    book: Mutex<Book>,
    forwarder: Forwarder,
    forwarded: Arc<Gate>,
}

impl Service {
    /// By the plan in a file, and the servers that another one names.
    pub fn new(plan: &Path, resolv_conf: &Path) -> Self {
        Self {
            book: Mutex::new(Book::new(plan)),
            forwarder: Forwarder::new(resolv_conf),
            forwarded: Gate::new(MOST_FORWARDED),
        }
    }

    /// Has `send` called with the answer to a packet: at once when it is ours, and later, on another thread, when it is
    /// that of others. `gate` bounds how many
    /// of those the client has at once.
    pub fn respond(
        self: &Arc<Self>,
        packet: &[u8],
        transport: Transport,
        gate: Option<&Arc<Gate>>,
        send: impl FnOnce(&[u8]) + Send + 'static,
    ) {
        // A packet that makes the parser panic gets no answer, and costs nobody else theirs.
        let verdict = catch_unwind(AssertUnwindSafe(|| self.look_up(packet, transport)));
        let (query, servers) = match verdict {
            Err(_) | Ok((Verdict::Silence, _)) => return,
            Ok((Verdict::Reply(reply), _)) => return send(&reply),
            Ok((Verdict::Forward(query), servers)) => (query, servers),
        };
        let failure = query.reply(ResponseCode::ServFail, Vec::new(), transport).unwrap_or_default();
        // Better told at once than left waiting: the client has a second server, or asks again.
        let Some(passes) =
            [Some(&self.forwarded), gate].into_iter().flatten().map(Gate::enter).collect::<Option<Vec<_>>>()
        else {
            return send(&failure);
        };
        let (service, packet) = (Arc::clone(self), packet.to_vec());
        // Without a thread there is no answer, and the client asks again.
        let _ = spawn(move || {
            let _passes = passes;
            let answer = match transport {
                Transport::Udp => service.forwarder.over_udp(&servers, &packet, &query),
                Transport::Tcp => service.forwarder.over_tcp(&servers, &packet, &query),
            };
            send(&answer.unwrap_or(failure));
        });
    }

    fn look_up(&self, packet: &[u8], transport: Transport) -> (Verdict, Vec<IpAddr>) {
        let (zone, servers) = {
            let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
            (book.zone(), book.servers().to_vec())
        };
        (answer(&zone, packet, transport), servers)
    }
}
