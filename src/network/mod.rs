//! Networks: which address, names and ports a container gets, and what the host has to have for it.
//!
//! Rows say who uses which address. The kernel is asked, not remembered, whether the bridge and the
//! packet filter are there: they are made when an address is given out and they are missing, and
//! removed by [`teardown_if_unused`]. Both happen under the lock of the host's network, which all roots
//! share.

mod address;
mod allocate;
mod bring_up;
mod choose;
mod create;
mod etc_files;
mod firewall;
mod forward_policy;
mod host_lock;
mod info;
mod inspect;
mod install;
mod list;
mod lookup;
mod port_holder;
mod ports;
pub mod prune;
mod remove;
mod rows;
mod sockets;
mod subnet;
mod sweep;
mod sysctl;
mod teardown;

pub use crate::runtime::network::{Way, WayKind, find_addresses, way_out};
pub use allocate::{Attachment, Member, allocate, extend, host_address, reduce, release, release_network};
pub use create::{RESERVED, check_present, create, ensure_present, refuse_built_in};
pub use etc_files::{HostsFile, ResolvConf, host_hosts, host_resolv_conf};
pub use info::{built_in, info};
pub use inspect::{inspect, inspect_built_in};
pub use list::list;
pub use lookup::{find, suggest};
pub use remove::{keep, remove, remove_by_id};
pub use rows::{Network, default_network, users};
pub use subnet::Subnet;
pub use sweep::sweep;
pub use teardown::teardown_if_unused;

use crate::store::Store;

/// The network of a container that asks for none.
pub const DEFAULT: &str = "bridge";

/// The name that Compose and Docker's `--network` have for it as well.
const DEFAULT_ALIAS: &str = "default";

/// The name of a network, whichever of its names was used.
pub fn canonical(name: &str) -> &str {
    if name == DEFAULT_ALIAS { DEFAULT } else { name }
}

/// What the names of tables start with, of every root.
const TABLE_PREFIX: &str = "shanty-";

/// The nftables table of a root; `None` where the kernel has no nftables.
fn table(store: &Store) -> Option<String> {
    firewall::is_available().then(|| table_name(store))
}

fn table_name(store: &Store) -> String {
    format!("{TABLE_PREFIX}{}", store.root_id8())
}

/// What the names of a root's links start with: `sh<id8>`, ten of at most fifteen characters.
fn link_prefix(store: &Store) -> String {
    format!("sh{}", store.root_id8())
}

/// What the names of its bridges start with. The links of containers go on with hexadecimal digits.
fn bridge_prefix(store: &Store) -> String {
    format!("{}n", link_prefix(store))
}

/// Where the names are that containers find each other by.
fn names_dir(store: &Store) -> std::path::PathBuf {
    store.run_dir().join("networks")
}
