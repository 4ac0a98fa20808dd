//! Networks: which address, names and ports a container gets, and what the host has to have for it.
//!
//! Rows say who uses which address. The kernel is asked, not remembered, whether the bridge and the
//! packet filter are there: they are made when an address is given out and they are missing, and
//! removed by [`teardown_if_unused`]. Both happen under the lock of the host's network, which all roots
//! share.

mod address;
mod allocate;
mod bring_up;
mod etc_files;
mod firewall;
mod forward_policy;
mod host_lock;
mod port_holder;
mod rows;
mod sockets;
mod subnet;
mod sweep;
mod sysctl;
mod teardown;

pub use allocate::{Attachment, allocate, release};
pub use etc_files::{HostsFile, ResolvConf, host_hosts, host_resolv_conf};
pub use subnet::Subnet;
pub use sweep::sweep;
pub use teardown::teardown_if_unused;

use crate::store::Store;

/// The network of a container that asks for none.
pub const DEFAULT: &str = "bridge";

/// What the names of tables start with, of every root.
const TABLE_PREFIX: &str = "shanty-";

/// The nftables table of a root.
fn table(store: &Store) -> String {
    format!("{TABLE_PREFIX}{}", store.root_id8())
}

/// What the names of a root's links start with: `sh<id8>`, ten of at most fifteen characters.
fn link_prefix(store: &Store) -> String {
    format!("sh{}", store.root_id8())
}
