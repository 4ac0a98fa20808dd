//! nftables over netlink: the few objects and expressions that container networks need
//! (`include/uapi/linux/netfilter/nf_tables.h`; numbers are in network byte order).

mod batch;
mod expression;
mod map;
mod query;
mod rule;
mod socket;

pub use batch::{Batch, Hook};
pub use map::Map;
pub use query::{Element, ListedRule};
pub use rule::{Interface, Rule};
pub use socket::NftSocket;

use libc::{NFNL_SUBSYS_NFTABLES, NFPROTO_INET, NFPROTO_IPV4, NFPROTO_IPV6};

/// Length of `struct nfgenmsg`: family, version, resource id.
const FAMILY_HEADER: usize = 4;

/// The type of a message about nftables objects.
const fn message_type(operation: i32) -> u16 {
    ((NFNL_SUBSYS_NFTABLES << 8) | operation) as u16
}

/// What the rules of a table see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Family {
    /// IPv4 and IPv6: our own tables.
    #[default]
    Inet,
    /// IPv4: what `iptables` makes.
    Ipv4,
    /// IPv6: what `ip6tables` makes.
    Ipv6,
}

impl Family {
    /// The fixed header of a message about its tables.
    const fn header(self) -> [u8; FAMILY_HEADER] {
        let number = match self {
            Self::Inet => NFPROTO_INET,
            Self::Ipv4 => NFPROTO_IPV4,
            Self::Ipv6 => NFPROTO_IPV6,
        };
        [number as u8, 0, 0, 0]
    }
}

/// Attributes of a table.
mod table {
    pub const NAME: u16 = 1;
}

/// Attributes of a chain.
mod chain {
    pub const TABLE: u16 = 1;
    pub const NAME: u16 = 3;
    pub const HOOK: u16 = 4;
    pub const POLICY: u16 = 5;
    pub const TYPE: u16 = 7;
    pub const HOOK_NUMBER: u16 = 1;
    pub const HOOK_PRIORITY: u16 = 2;
}

/// Attributes of a rule.
mod rule_attribute {
    pub const TABLE: u16 = 1;
    pub const CHAIN: u16 = 2;
    pub const HANDLE: u16 = 3;
    pub const EXPRESSIONS: u16 = 4;
    pub const USER_DATA: u16 = 7;
    /// Inside the user data: a comment (libnftnl's `NFTNL_UDATA_RULE_COMMENT`).
    pub const USER_DATA_COMMENT: u8 = 0;
}

/// Attributes of a set or map.
mod set {
    pub const TABLE: u16 = 1;
    pub const NAME: u16 = 2;
    pub const FLAGS: u16 = 3;
    pub const KEY_TYPE: u16 = 4;
    pub const KEY_LENGTH: u16 = 5;
    pub const DATA_TYPE: u16 = 6;
    pub const DATA_LENGTH: u16 = 7;
    pub const ID: u16 = 10;
}

/// Attributes of a list of elements, and of an element.
mod element {
    pub const LIST_TABLE: u16 = 1;
    pub const LIST_SET: u16 = 2;
    pub const LIST_ELEMENTS: u16 = 3;
    pub const KEY: u16 = 1;
    pub const DATA: u16 = 2;
}

/// What lists of rules, expressions and elements are made of.
const LIST_ELEMENT: u16 = 1;
/// Plain bytes, as data of an element or a comparison.
const DATA_VALUE: u16 = 1;
