//! The socket to nftables, one for the whole process.

use crate::error::{IoContext, Result};
use crate::sys::netlink::NetlinkSocket;
use crate::sys::netns;
use nix::sys::socket::SockProtocol;
use nix::sys::stat::fstat;
use std::sync::{Mutex, PoisonError};

/// A socket to nftables, in the network namespace of the thread that asked for it.
pub struct NftSocket(pub(super) NetlinkSocket);

/// The socket and the namespace it belongs to.
static SOCKET: Mutex<Option<(Namespace, NftSocket)>> = Mutex::new(None);

/// Number of the device and inode of a namespace (namespaces(7)).
type Namespace = (u64, u64);

impl NftSocket {
    /// A socket of its own, for a namespace that is only visited.
    pub fn open() -> Result<Self> {
        NetlinkSocket::open(SockProtocol::NetlinkNetFilter).map(Self)
    }

    /// Lends the socket. Calls must not be nested, and the database must not be asked for meanwhile:
    /// its lock comes first.
    ///
    /// Closing a socket waits until the kernel has freed all that anybody deleted before, 10 ms and more
    /// (`nft_rcv_nl_event` in `net/netfilter/nf_tables_api.c`), so it is kept until the process ends.
    pub fn with<T>(work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let here = netns::current()?;
        let here = fstat(&here).doing(|| "cannot look at the network namespace")?;
        let here = (here.st_dev, here.st_ino);
        let mut kept = SOCKET.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *kept {
            Some((namespace, socket)) if *namespace == here => work(socket),
            other => {
                let socket = Self::open()?;
                work(&mut other.insert((here, socket)).1)
            }
        }
    }
}
