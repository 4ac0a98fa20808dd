//! Makes the packet filter what the rows say.

use super::address::Address;
use super::rows::{self, Network};
use super::{address, bridge_prefix, firewall, ports, table};
use crate::error::Result;
use crate::model::PublishedPort;
use crate::runtime::network::{PortEntry, port_entries};
use crate::store::Store;
use crate::sys::netlink::link_index;

/// Makes the table with the rules of all networks that have a bridge, and the published ports. The caller holds the
/// lock of the host's network.
///
/// A port that is published meanwhile would be lost with the table that is replaced: the rows, which are written
/// before, are looked at again afterwards.
///
/// On a bridge that was made just now nobody is connected: addresses in its network, `fresh` by id, are of those who wait
/// for it, and may take another one.
pub fn install(store: &Store, fresh: &[String]) -> Result<()> {
    let Some(table) = table(store) else { return Ok(()) };
    let mut published = published(store)?;
    loop {
        let networks: Vec<Network> =
            store.read(rows::all)?.into_iter().filter(|network| link_index(&network.bridge).is_some()).collect();
        let mut entries: Vec<PortEntry> = Vec::new();
        // The newest first: of a container whose monitor was killed, and of who has its port now, the latter counts.
        for (address, ports) in published.iter().rev().filter(|(address, _)| !fresh.contains(&address.network)) {
            for entry in port_entries(&address.all().collect::<Vec<_>>(), ports) {
                if !entries.iter().any(|(map, key, _)| (*map, *key) == (entry.0, entry.1)) {
                    entries.push(entry);
                }
            }
        }
        firewall::install(&table, &bridge_prefix(store), &networks, &entries)?;
        let now = self::published(store)?;
        if now == published {
            return Ok(());
        }
        published = now;
    }
}

/// What is published on which addresses.
fn published(store: &Store) -> Result<Vec<(Address, Vec<PublishedPort>)>> {
    store.read(|db| {
        let with_ports = |address: Address| {
            let ports = ports::of(db, address.serial)?;
            Ok((address, ports))
        };
        let all = address::all(db)?.into_iter().map(with_ports).collect::<Result<Vec<_>>>()?;
        Ok(all.into_iter().filter(|(_, ports)| !ports.is_empty()).collect())
    })
}
