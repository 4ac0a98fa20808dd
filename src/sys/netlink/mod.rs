//! Netlink: how the kernel's links, addresses, routes and packet filter are read and changed.
//!
//! One encoder serves both families in use, rtnetlink and nftables; the kernel answers while it is
//! being sent to, so a synchronous socket loses nothing.

mod message;
mod route;
mod socket;

pub use message::{Attributes, Reply, Request, attribute, attributes};
pub use route::{LOOPBACK, RouteEntry, RouteSocket, link_index};
pub use socket::{NetlinkSocket, Refusal};
