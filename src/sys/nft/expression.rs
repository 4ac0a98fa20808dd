//! The instructions of nftables' virtual machine that our rules consist of.

use super::{DATA_VALUE, LIST_ELEMENT};
use crate::sys::netlink::Attributes;
use libc::{NFPROTO_IPV4, NFPROTO_IPV6, NFT_JUMP, NFT_META_MARK, NFT_NAT_DNAT, NFT_REG_VERDICT, NFT_REG32_00};

/// One instruction. Values go through registers of four bytes, of which ours use the first.
#[derive(Clone, Debug)]
pub(super) enum Expression {
    /// Loads a property of the packet (`NFT_META_…`).
    Meta(i32),
    /// Loads a property of the connection (`NFT_CT_…`).
    Connection(i32),
    /// Loads the type of the route to the destination address, such as `RTN_LOCAL`.
    DestinationType,
    /// Loads the number of the link that the route to the destination address leaves by; 0: there is no route.
    DestinationLink,
    /// Loads whether the packet is for a connection or socket of an address that is not the machine's (`IP_TRANSPARENT`).
    IsTransparent,
    /// Gives the packet the mark in the first register.
    SetMark,
    /// Gives the packet to the transparent socket with the address in the first registers, of so many bytes, and the port in
    /// the next one.
    TransparentProxy(usize),
    /// Sends the packet to the port in the first register, of the link that it came by.
    Redirect,
    /// Loads bytes of a header (`NFT_PAYLOAD_…_HEADER`) into the register number `register`.
    Payload { header: i32, offset: u32, length: u32, register: i32 },
    /// Keeps the bits of the mask.
    Mask(Vec<u8>),
    /// Goes on when what was loaded compares so (`NFT_CMP_…`).
    Compare(i32, Vec<u8>),
    /// Replaces key by value; ends the rule when the map has no such key.
    Lookup(&'static str),
    /// Sends the packet to the address in the first registers, of so many bytes, and the port in the next one.
    DestinationNat(usize),
    /// Puts bytes, at most 16, into registers from this one on.
    Load(i32, Vec<u8>),
    /// Gives the packet the address of the link it leaves by.
    Masquerade,
    /// Counts packets.
    Counter,
    /// Ends with a verdict (`NF_…` or `NFT_RETURN`).
    Verdict(i32),
    /// Goes on in another chain, and behind this rule when that decides nothing.
    Jump(String),
}

/// Attributes of an entry of the list: the instruction's name and data.
const NAME: u16 = 1;
const DATA: u16 = 2;
/// `nft_fib`: give the link, or the type of address; look at the destination.
const FIB_RESULT_LINK: u32 = 1;
const FIB_RESULT_ADDRESS_TYPE: u32 = 3;
const FIB_FLAG_DESTINATION: u32 = 2;
/// `NFT_SOCKET_TRANSPARENT`.
const SOCKET_IS_TRANSPARENT: u32 = 0;

impl Expression {
    const fn name(&self) -> &'static str {
        match self {
            Self::Meta(_) | Self::SetMark => "meta",
            Self::Connection(_) => "ct",
            Self::DestinationType | Self::DestinationLink => "fib",
            Self::IsTransparent => "socket",
            Self::TransparentProxy(_) => "tproxy",
            Self::Redirect => "redir",
            Self::Payload { .. } => "payload",
            Self::Mask(_) => "bitwise",
            Self::Compare(..) => "cmp",
            Self::Lookup(_) => "lookup",
            Self::DestinationNat(_) => "nat",
            Self::Masquerade => "masq",
            Self::Counter => "counter",
            Self::Verdict(_) | Self::Jump(_) | Self::Load(..) => "immediate",
        }
    }

    /// Writes it as an entry of a rule's list.
    pub(super) fn write(&self, list: &mut Attributes<'_>) {
        list.nested(LIST_ELEMENT, |entry| {
            entry.string(NAME, self.name());
            entry.nested(DATA, |data| self.write_data(data));
        });
    }

    /// The attributes' numbers are those of each instruction's own list in `nf_tables.h`.
    fn write_data(&self, data: &mut Attributes<'_>) {
        const FIRST: u32 = NFT_REG32_00 as u32;
        match self {
            Self::Meta(key) | Self::Connection(key) => {
                data.be32(1, FIRST);
                data.be32(2, *key as u32);
            }
            Self::DestinationType => {
                data.be32(1, FIRST);
                data.be32(2, FIB_RESULT_ADDRESS_TYPE);
                data.be32(3, FIB_FLAG_DESTINATION);
            }
            Self::DestinationLink => {
                data.be32(1, FIRST);
                data.be32(2, FIB_RESULT_LINK);
                data.be32(3, FIB_FLAG_DESTINATION);
            }
            Self::IsTransparent => {
                data.be32(1, SOCKET_IS_TRANSPARENT);
                data.be32(2, FIRST);
            }
            Self::SetMark => {
                data.be32(2, NFT_META_MARK as u32);
                data.be32(3, FIRST);
            }
            Self::TransparentProxy(length) => {
                data.be32(1, family_of(*length));
                data.be32(2, FIRST);
                data.be32(3, FIRST + (*length / 4) as u32);
            }
            Self::Redirect => data.be32(1, FIRST),
            Self::Payload { header, offset, length, register } => {
                data.be32(1, *register as u32);
                data.be32(2, *header as u32);
                data.be32(3, *offset);
                data.be32(4, *length);
            }
            Self::Mask(mask) => {
                data.be32(1, FIRST);
                data.be32(2, FIRST);
                data.be32(3, mask.len() as u32);
                data.nested(4, |value| value.bytes(DATA_VALUE, mask));
                data.nested(5, |value| value.bytes(DATA_VALUE, &vec![0; mask.len()]));
            }
            Self::Compare(operator, bytes) => {
                data.be32(1, FIRST);
                data.be32(2, *operator as u32);
                data.nested(3, |value| value.bytes(DATA_VALUE, bytes));
            }
            Self::Lookup(map) => {
                data.string(1, map);
                data.be32(2, FIRST);
                data.be32(3, FIRST);
            }
            Self::DestinationNat(length) => {
                data.be32(1, NFT_NAT_DNAT as u32);
                data.be32(2, family_of(*length));
                data.be32(3, FIRST);
                data.be32(5, FIRST + (*length / 4) as u32);
            }
            Self::Load(register, bytes) => {
                data.be32(1, *register as u32);
                data.nested(2, |value| value.bytes(DATA_VALUE, bytes));
            }
            Self::Masquerade | Self::Counter => {}
            Self::Verdict(verdict) => write_verdict(data, *verdict, None),
            Self::Jump(chain) => write_verdict(data, NFT_JUMP, Some(chain)),
        }
    }
}

/// The family whose addresses have so many bytes.
fn family_of(length: usize) -> u32 {
    if length == 4 { NFPROTO_IPV4 as u32 } else { NFPROTO_IPV6 as u32 }
}

fn write_verdict(data: &mut Attributes<'_>, verdict: i32, chain: Option<&str>) {
    const DATA_VERDICT: u16 = 2;
    const VERDICT_CODE: u16 = 1;
    const VERDICT_CHAIN: u16 = 2;
    data.be32(1, NFT_REG_VERDICT as u32);
    data.nested(2, |value| {
        value.nested(DATA_VERDICT, |code| {
            code.be32(VERDICT_CODE, verdict as u32);
            if let Some(chain) = chain {
                code.string(VERDICT_CHAIN, chain);
            }
        });
    });
}
