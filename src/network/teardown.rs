//! Removes from the host what nobody needs any more.

use super::rows::{self, Network};
use super::{address, bridge_prefix, firewall, forward_policy, host_lock, install, names_dir, table};
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::runtime::network::{in_home, leave};
use crate::store::Store;
use crate::sys::netlink::{RouteSocket, link_index};
use nix::errno::Errno;
use nix::net::if_::if_nameindex;

/// Removes the bridges of networks in which no container has an address, and with the last of them the packet filter of
/// this root; says whether nothing is left. It takes 20 ms and more when there is something to remove, so call it where
/// nobody waits: at the end of a script, or from a cleaner.
pub fn teardown_if_unused(store: &Store) -> Result<bool> {
    in_home(|| teardown(store))
}

fn teardown(store: &Store) -> Result<bool> {
    let networks = store.read(rows::all)?;
    let is_used = |network: &Network| store.read(|db| address::any(db, &network.id));
    let mut idle = Vec::new();
    let mut in_use = false;
    for network in networks {
        if is_used(&network)? {
            in_use = true;
        } else if link_index(&network.bridge).is_some() {
            idle.push(network);
        }
    }
    if idle.is_empty() && (in_use || orphans(store)?.is_empty() && !is_filtered(store)? && !names_dir(store).exists()) {
        return Ok(!in_use);
    }
    let _lock = host_lock::hold()?;
    let mut failures = Vec::new();
    let mut note = |result: Result<()>| failures.extend(result.err().map(|error| error.message()));
    for network in &idle {
        // In a transaction: whoever wants an address now waits, and then finds the bridge missing.
        note(store.write(|tx| if address::any(tx, &network.id)? { Ok(()) } else { remove_bridge(&network.bridge) }));
    }
    for orphan in orphans(store)? {
        // In a transaction as well: a network that is made now may have chosen the same name, and finds the bridge there.
        let has_row = |all: Vec<Network>| all.iter().any(|network| network.bridge == orphan);
        note(store.write(|tx| if has_row(rows::all(tx)?) { Ok(()) } else { remove_bridge(&orphan) }));
    }
    let is_left = store.read(rows::all)?.iter().any(|network| link_index(&network.bridge).is_some());
    if is_left {
        note(install::install(store, &[]));
    } else {
        note(table(store).map_or(Ok(()), |table| firewall::remove(&table)));
        note(forward_policy::withdraw(store));
        note(remove_names(store));
        leave();
    }
    if failures.is_empty() {
        return Ok(!is_left);
    }
    Err(Error::new(ErrorKind::Io, format!("cannot remove all of the network: {}", failures.join("; "))))
}

/// Removes the folder of the names. In a transaction: whoever wants it has taken an address before.
fn remove_names(store: &Store) -> Result<()> {
    let dir = names_dir(store);
    store.write(|tx| {
        if !address::all(tx)?.is_empty() {
            return Ok(());
        }
        match std::fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).doing(|| format!("cannot remove `{}`", dir.display()))
            }
            _ => Ok(()),
        }
    })
}

/// Removes a bridge. Succeeds when it is gone.
pub fn remove_bridge(name: &str) -> Result<()> {
    let Some(index) = link_index(name) else { return Ok(()) };
    match RouteSocket::open()?.delete_link(index) {
        Err(refusal) if refusal.errno != Errno::ENODEV => Err(refusal.doing(format!("cannot remove bridge `{name}`"))),
        _ => Ok(()),
    }
}

fn is_filtered(store: &Store) -> Result<bool> {
    table(store).map_or(Ok(false), |table| firewall::has_table(&table))
}

/// Bridges of this root without a row: their network was removed by a process that was killed.
fn orphans(store: &Store) -> Result<Vec<String>> {
    let prefix = bridge_prefix(store);
    let links = if_nameindex().map_err(|errno| Error::new(ErrorKind::Io, format!("cannot list links: {errno}")))?;
    let names = links.iter().filter_map(|link| link.name().to_str().ok().map(str::to_owned));
    let ours: Vec<String> = names.filter(|name| name.starts_with(&prefix)).collect();
    if ours.is_empty() {
        return Ok(ours);
    }
    let known: Vec<String> = store.read(rows::all)?.into_iter().map(|network| network.bridge).collect();
    Ok(ours.into_iter().filter(|name| !known.contains(name)).collect())
}
