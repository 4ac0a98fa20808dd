//! How a container reaches its resolver: `127.0.0.11`, port 53, in its own network namespace.

use super::resolver;
use crate::error::Result;
use crate::sys::netns;
use crate::sys::nft::{Batch, Hook, NftSocket, Rule};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{BorrowedFd, OwnedFd};

/// The address that a container asks, as in Docker.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);
const PORT: u16 = 53;
/// The table in the container's namespace.
const TABLE: &str = "shanty-names";

/// Opens the sockets that the resolver serves, in the container's namespace.
///
/// They are on a random port, and packets to port 53 are led there, so that a name server in the container can
/// have port 53 of all addresses. Without nftables they are on port 53 itself.
pub fn open_resolver(netns: BorrowedFd<'_>) -> Result<Vec<OwnedFd>> {
    netns::inside(netns, || {
        let (sockets, port) = resolver::bind(0)?;
        if lead_to(port).is_ok() {
            return Ok(sockets);
        }
        drop(sockets);
        Ok(resolver::bind(PORT)?.0)
    })
}

fn lead_to(port: u16) -> Result<()> {
    const CHAIN: &str = "output";
    let mut batch = Batch::new();
    batch.add_table(TABLE);
    batch.add_chain(TABLE, CHAIN, Hook::NatOutput);
    for is_tcp in [false, true] {
        let from = SocketAddr::from((ADDRESS, PORT));
        batch.append_rule(TABLE, CHAIN, &Rule::new().redirect(from, is_tcp, SocketAddr::from((ADDRESS, port))));
    }
    // Not the socket that is kept for the whole process: that one belongs to the host's namespace.
    NftSocket::open()?.commit(batch).map_err(|refusal| refusal.doing("cannot lead questions to the resolver"))
}
