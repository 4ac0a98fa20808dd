//! A question as it was received, and replies to it.

use super::answer::Transport;
use hickory_proto::op::{Edns, Header, Message, MessageType, Metadata, OpCode, Query as Question, ResponseCode};
use hickory_proto::rr::Record;
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};
use std::fmt::Write;

/// The largest query that is taken, bytes, and what our replies say we take. A name has 255 at most (RFC 1035); options
/// such as padding and cookies have room.
pub const LARGEST_QUERY: usize = 4096;
/// What every client takes over UDP, bytes (RFC 1035, section 4.2.1).
const SMALLEST_LIMIT: usize = 512;
/// The header, bytes.
const HEADER: usize = 12;

/// A well-formed query with one question.
#[derive(Clone, Debug)]
pub struct Query {
    metadata: Metadata,
    /// What is asked.
    pub question: Question,
    edns: Option<Edns>,
}

/// Why there is no query: nothing is said to it, or this.
pub type Refusal = Option<Vec<u8>>;

impl Query {
    /// Reads a query.
    pub fn parse(packet: &[u8]) -> Result<Self, Refusal> {
        // Whoever answers answers can be made to talk to itself.
        if packet.len() < HEADER || packet[2] & 0x80 != 0 {
            return Err(None);
        }
        let header = Header::from_bytes(&packet[..HEADER]).map_err(|_| None)?;
        let malformed = || Err(refusal(&header.metadata, ResponseCode::FormErr));
        // The parser reserves room for as many questions as are claimed, and no query has more than one (RFC 9619).
        if packet.len() > LARGEST_QUERY || header.counts.queries != 1 {
            return malformed();
        }
        let mut decoder = BinDecoder::new(packet);
        let Ok(message) = Message::read(&mut decoder) else { return malformed() };
        let Some(question) = message.queries.first() else { return malformed() };
        if !decoder.is_empty() {
            return malformed();
        }
        let query = Self { metadata: message.metadata, question: question.clone(), edns: message.edns };
        if query.metadata.op_code != OpCode::Query {
            return Err(query.reply(ResponseCode::NotImp, Vec::new(), Transport::Udp));
        }
        // RFC 6891, section 6.1.3.
        if query.edns.as_ref().is_some_and(|edns| edns.version() != 0) {
            return Err(query.reply(ResponseCode::BADVERS, Vec::new(), Transport::Udp));
        }
        Ok(query)
    }

    /// The name that is asked for, in lower case and without the dot at its end. `None` where it cannot be that of a
    /// container: the root, or labels with bytes that no name has.
    pub fn name(&self) -> Option<String> {
        let mut name = String::new();
        for label in self.question.name() {
            let label = std::str::from_utf8(label).ok()?;
            if label.bytes().any(|byte| !byte.is_ascii_graphic() || byte == b'.') {
                return None;
            }
            let dot = if name.is_empty() { "" } else { "." };
            write!(name, "{dot}{}", label.to_ascii_lowercase()).ok()?;
        }
        (!name.is_empty()).then_some(name)
    }

    /// A reply of our own. As many records as the client takes; when that is not all of them, it is told to ask again
    /// over TCP.
    pub fn reply(&self, code: ResponseCode, records: Vec<Record>, transport: Transport) -> Option<Vec<u8>> {
        let mut reply = Message::response(self.metadata.id, self.metadata.op_code);
        reply.metadata = Metadata::response_from_request(&self.metadata);
        reply.metadata.recursion_available = true;
        reply.metadata.response_code = code;
        reply.add_query(self.question.clone());
        reply.answers = records;
        // Who did not send one is not sent one (RFC 6891, section 6.1.1); DO is copied (RFC 3225, section 3).
        reply.edns = self.edns.as_ref().map(|edns| {
            let mut ours = Edns::new();
            ours.set_max_payload(LARGEST_QUERY as u16);
            ours.set_dnssec_ok(edns.flags().dnssec_ok);
            ours
        });
        let limit = self.limit(transport);
        let mut text = reply.to_vec().ok()?;
        while text.len() > limit && !reply.answers.is_empty() {
            /// A record of an IPv6 address whose name is a pointer, bytes: no record of many is larger.
            const RECORD: usize = 28;
            let over = (text.len() - limit).div_ceil(RECORD);
            reply.answers.truncate(reply.answers.len().saturating_sub(over));
            reply.metadata.truncation = transport == Transport::Udp;
            text = reply.to_vec().ok()?;
        }
        Some(text)
    }

    /// The longest reply that the client takes.
    fn limit(&self, transport: Transport) -> usize {
        match transport {
            Transport::Tcp => usize::from(u16::MAX),
            Transport::Udp => {
                let offered = self.edns.as_ref().map_or(0, |edns| usize::from(edns.max_payload()));
                offered.clamp(SMALLEST_LIMIT, LARGEST_QUERY)
            }
        }
    }
}

/// A reply to what could not be read.
fn refusal(query: &Metadata, code: ResponseCode) -> Refusal {
    let mut reply = Message::error_msg(query.id, query.op_code, code);
    reply.metadata.recursion_desired = query.recursion_desired;
    reply.metadata.recursion_available = true;
    reply.to_vec().ok()
}

/// Whether a packet is an answer to `packet`'s question: the code of the response when it is.
///
/// Whoever guesses the port of a forwarded query still has to guess its id, and to repeat its question.
pub fn answers(packet: &[u8], id: u16, query: &Query) -> Option<ResponseCode> {
    let header = Header::from_bytes(packet.get(..HEADER)?).ok()?;
    let metadata = header.metadata;
    if metadata.id != id || metadata.message_type != MessageType::Response || metadata.op_code != OpCode::Query {
        return None;
    }
    let code = metadata.response_code;
    if header.counts.queries == 0 {
        // Servers that did not understand the question need not repeat it.
        return (!matches!(code, ResponseCode::NoError | ResponseCode::NXDomain)).then_some(code);
    }
    let mut decoder = BinDecoder::new(packet);
    Header::read(&mut decoder).ok()?;
    let question = Question::read(&mut decoder).ok()?;
    // Names compare without regard to case.
    (header.counts.queries == 1 && question == query.question).then_some(code)
}
