//! Netlink: how the kernel's links, addresses, routes and packet filter are read and changed.
//!
//! One encoder serves both families in use, rtnetlink and nftables; the kernel answers while it is
//! being sent to, so a synchronous socket loses nothing.

mod conntrack;
mod message;
mod route;
mod socket;

pub use conntrack::forget_udp;
pub use message::{Attributes, Reply, Request, attribute, attributes};
pub use route::{LOOPBACK, RouteEntry, RouteSocket, ip_of, link_index, octets};
pub use socket::{NetlinkSocket, Refusal};
