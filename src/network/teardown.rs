//! Removes from the host what nobody needs any more.

use super::{address, firewall, forward_policy, host_lock, rows, table};
use crate::error::{Error, ErrorKind, Result};
use crate::store::Store;
use crate::sys::netlink::{RouteSocket, link_index};
use nix::errno::Errno;

/// Removes the bridge and the packet filter of this root when no container has an address; says whether
/// nothing is left. It takes 20 ms and more when there is something to remove, so call it where nobody
/// waits: at the end of a script, or from a cleaner.
pub fn teardown_if_unused(store: &Store) -> Result<bool> {
    if store.read(address::any)? {
        return Ok(false);
    }
    let Some(network) = rows::find_default(store)? else { return Ok(true) };
    let _lock = host_lock::hold()?;
    // In a transaction: whoever wants an address now waits, and then finds the bridge missing.
    store.write(|tx| {
        if address::any(tx)? {
            return Ok(false);
        }
        let failures: Vec<String> =
            [firewall::remove(&table(store)), remove_bridge(&network.bridge), forward_policy::withdraw(store)]
                .into_iter()
                .filter_map(|result| result.err().map(|error| error.message()))
                .collect();
        if failures.is_empty() {
            return Ok(true);
        }
        Err(Error::new(ErrorKind::Io, format!("cannot remove the network: {}", failures.join("; "))))
    })
}

fn remove_bridge(name: &str) -> Result<()> {
    let Some(index) = link_index(name) else { return Ok(()) };
    match RouteSocket::open()?.delete_link(index) {
        Err(refusal) if refusal.errno != Errno::ENODEV => Err(refusal.doing(format!("cannot remove bridge `{name}`"))),
        _ => Ok(()),
    }
}
