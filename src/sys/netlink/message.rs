//! Netlink messages as bytes (netlink(7); attributes: `include/uapi/linux/netlink.h`).

use libc::{NLM_F_ACK, NLM_F_REQUEST};

/// Length of `struct nlmsghdr`.
const HEADER: usize = 16;
/// Messages and attributes start at multiples of this (`NLMSG_ALIGNTO`, `NLA_ALIGNTO`).
const ALIGNMENT: usize = 4;
/// The attribute holds attributes (`NLA_F_NESTED`); newer families insist on the flag.
const NESTED: u16 = 0x8000;
/// The bits of an attribute's type that are its type (`NLA_TYPE_MASK`).
const TYPE_MASK: u16 = 0x3fff;

/// Messages that are sent together. Each has its position as its sequence number, from 1.
#[derive(Debug, Default)]
pub struct Request {
    bytes: Vec<u8>,
    count: u32,
    last_acknowledged: u32,
}

impl Request {
    /// No message yet.
    pub fn new() -> Self {
        Self { bytes: Vec::with_capacity(1024), count: 0, last_acknowledged: 0 }
    }

    /// Adds a message: its type, `NLM_F_…` flags beside `NLM_F_REQUEST`, the family's fixed header,
    /// and its attributes.
    pub fn message(&mut self, kind: u16, flags: i32, fixed: &[u8], attributes: impl FnOnce(&mut Attributes<'_>)) {
        self.count += 1;
        if flags & NLM_F_ACK != 0 {
            self.last_acknowledged = self.count;
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(&((flags | NLM_F_REQUEST) as u16).to_ne_bytes());
        self.bytes.extend_from_slice(&self.count.to_ne_bytes());
        self.bytes.extend_from_slice(&[0; 4]); // the port id: the kernel fills it in
        self.bytes.extend_from_slice(fixed);
        pad(&mut self.bytes);
        attributes(&mut Attributes(&mut self.bytes));
        let length = (self.bytes.len() - start) as u32;
        self.bytes[start..start + 4].copy_from_slice(&length.to_ne_bytes());
    }

    /// How many messages there are.
    pub fn len(&self) -> u32 {
        self.count
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Number of the last message that asks for an acknowledgement; 0: none does.
    pub(super) fn last_acknowledged(&self) -> u32 {
        self.last_acknowledged
    }
}

/// Writes attributes at the end of a message.
pub struct Attributes<'a>(&'a mut Vec<u8>);

impl Attributes<'_> {
    /// Attributes alone, to be put into a message later with [`Attributes::raw`].
    pub fn collect(write: impl FnOnce(&mut Attributes<'_>)) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(&mut Attributes(&mut bytes));
        bytes
    }

    /// What [`Attributes::collect`] gave.
    pub fn raw(&mut self, attributes: &[u8]) {
        self.0.extend_from_slice(attributes);
    }

    /// An attribute with these bytes.
    pub fn bytes(&mut self, kind: u16, value: &[u8]) {
        self.0.extend_from_slice(&((value.len() + 4) as u16).to_ne_bytes());
        self.0.extend_from_slice(&kind.to_ne_bytes());
        self.0.extend_from_slice(value);
        pad(self.0);
    }

    /// A string with the zero byte that the kernel wants.
    pub fn string(&mut self, kind: u16, value: &str) {
        let mut bytes = Vec::with_capacity(value.len() + 1);
        bytes.extend_from_slice(value.as_bytes());
        bytes.push(0);
        self.bytes(kind, &bytes);
    }

    /// A number in the byte order of the machine (rtnetlink).
    pub fn u32(&mut self, kind: u16, value: u32) {
        self.bytes(kind, &value.to_ne_bytes());
    }

    /// A number in network byte order (nftables).
    pub fn be32(&mut self, kind: u16, value: u32) {
        self.bytes(kind, &value.to_be_bytes());
    }

    /// An attribute that holds attributes.
    pub fn nested(&mut self, kind: u16, content: impl FnOnce(&mut Attributes<'_>)) {
        self.nested_after(kind, &[], content);
    }

    /// An attribute that holds a fixed header and then attributes.
    pub fn nested_after(&mut self, kind: u16, fixed: &[u8], content: impl FnOnce(&mut Attributes<'_>)) {
        let start = self.0.len();
        self.0.extend_from_slice(&[0; 2]);
        self.0.extend_from_slice(&(kind | NESTED).to_ne_bytes());
        self.0.extend_from_slice(fixed);
        pad(self.0);
        content(&mut Attributes(self.0));
        let length = (self.0.len() - start) as u16;
        self.0[start..start + 2].copy_from_slice(&length.to_ne_bytes());
    }
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
}

/// A message that the kernel sent.
#[derive(Debug)]
pub struct Reply {
    /// Its type.
    pub kind: u16,
    /// Its `NLM_F_…` flags.
    pub flags: u16,
    /// Number of the message it answers.
    pub sequence: u32,
    /// What follows the netlink header.
    pub body: Vec<u8>,
}

/// Splits what one read gave into messages; a cut-off message at the end is left out.
pub(super) fn replies(mut bytes: &[u8]) -> Vec<Reply> {
    let mut replies = Vec::new();
    while let Some(length) = u32_at(bytes, 0).map(|length| length as usize) {
        if length < HEADER || length > bytes.len() {
            break;
        }
        replies.push(Reply {
            kind: u16::from_ne_bytes([bytes[4], bytes[5]]),
            flags: u16::from_ne_bytes([bytes[6], bytes[7]]),
            sequence: u32::from_ne_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]),
            body: bytes[HEADER..length].to_vec(),
        });
        bytes = &bytes[length.next_multiple_of(ALIGNMENT).min(bytes.len())..];
    }
    replies
}

/// The attributes in `bytes`: (type, value).
pub fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes([*bytes.first()?, *bytes.get(1)?]));
        let kind = u16::from_ne_bytes([*bytes.get(2)?, *bytes.get(3)?]) & TYPE_MASK;
        let value = bytes.get(4..length)?;
        bytes = &bytes[length.next_multiple_of(ALIGNMENT).min(bytes.len())..];
        Some((kind, value))
    })
}

/// The first attribute of this type.
pub fn attribute(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes).find_map(|(found, value)| (found == kind).then_some(value))
}

/// A number in the byte order of the machine.
pub(super) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..offset + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mut request = Request::new();
        request.message(16, 0, &[7; 6], |attributes| {
            attributes.string(3, "eth0");
            attributes.nested(18, |attributes| attributes.u32(1, 1400));
        });
        request.message(17, NLM_F_ACK, &[], |_| {});
        assert_eq!(request.bytes().len() % ALIGNMENT, 0);
        assert_eq!(request.last_acknowledged(), 2);

        let messages = replies(request.bytes());
        assert_eq!(messages.iter().map(|m| (m.kind, m.sequence)).collect::<Vec<_>>(), [(16, 1), (17, 2)]);
        let body = &messages[0].body[8..];
        assert_eq!(attribute(body, 3), Some(&b"eth0\0"[..]));
        let nested = attribute(body, 18).unwrap();
        assert_eq!(attribute(nested, 1), Some(&1400u32.to_ne_bytes()[..]));
    }

    #[test]
    fn cut_off_input_ends_quietly() {
        let mut request = Request::new();
        request.message(16, 0, &[], |attributes| attributes.string(3, "eth0"));
        for end in 0..request.bytes().len() {
            assert!(replies(&request.bytes()[..end]).is_empty());
        }
        let attribute_length = 4 + "eth0\0".len();
        for end in 0..attribute_length {
            assert!(attributes(&request.bytes()[HEADER..HEADER + end]).next().is_none());
        }
    }
}
