//! Gives a container its place in the network, and takes it back.

use super::address::{self, Address};
use super::rows::{self, Network};
use super::{Subnet, bring_up, forward_policy, link_prefix, sockets, table};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{PortSpec, PublishedPort};
use crate::runtime::network::{BridgePlan, withdraw};
use crate::store::Store;
use std::os::fd::OwnedFd;

/// A container's place in the network.
#[derive(Debug)]
pub struct Attachment {
    /// What the monitor connects it by.
    pub plan: BridgePlan,
    /// A listening (TCP) or bound (UDP) non-blocking socket for each of `plan.ports`, in their order. They
    /// hold the ports: pass them to the monitor, and close them here.
    pub sockets: Vec<OwnedFd>,
}

/// Gives a container an address on the default network and holds the ports to be published. Makes the
/// bridge and the packet filter when they are missing.
///
/// # Errors
/// `conflict` when a port is taken, which says by whom, or no address is free; `invalid` when the host
/// does not have the address to publish on. Nothing is left behind.
pub fn allocate(store: &Store, container: &str, ports: &[PortSpec]) -> Result<Attachment> {
    let (ports, sockets): (Vec<_>, Vec<_>) = sockets::hold(store, ports)?.into_iter().unzip();
    match take_address(store, container, &ports) {
        Ok((network, subnet, address)) => Ok(Attachment {
            plan: BridgePlan {
                table: table(store),
                bridge: network.bridge,
                gateway: subnet.gateway(),
                prefix: subnet.prefix,
                host_link: format!("{}{}", link_prefix(store), address.link_suffix()),
                ip: address.ip,
                mtu: network.mtu,
                ports,
            },
            sockets,
        }),
        Err(error) => {
            // The first failure is the one to report.
            let _ = store.write(|tx| address::give_up(tx, container));
            Err(error)
        }
    }
}

/// Frees what [`allocate`] gave. Succeeds when there is nothing to free.
pub fn release(store: &Store, container: &str) -> Result<()> {
    let addresses = store.read(|db| {
        let addresses = address::of(db, container)?;
        addresses
            .into_iter()
            .map(|address| Ok((address.ip, rows::ports(db, address.serial)?)))
            .collect::<Result<Vec<_>>>()
    })?;
    if addresses.is_empty() {
        return Ok(());
    }
    // The monitor has done this, unless it was killed.
    let mut withdrawn = Ok(());
    for (ip, ports) in addresses {
        if !ports.is_empty() {
            withdrawn = withdrawn.and(withdraw(&table(store), ip, &ports));
        }
    }
    store.write(|tx| address::give_up(tx, container))?;
    withdrawn
}

/// Takes an address, and makes sure that the bridge is there.
///
/// The address is taken first: from then on nobody tears the bridge down ([`super::teardown_if_unused`]
/// looks at the rows), so a bridge that is there afterwards stays.
fn take_address(store: &Store, container: &str, ports: &[PublishedPort]) -> Result<(Network, Subnet, Address)> {
    // Each further round means that another process changed the network in between.
    const ROUNDS: usize = 10;
    for _ in 0..ROUNDS {
        let network = rows::default_network(store)?;
        if let Some(subnet) = network.subnet {
            let address = store.write(|tx| address::take(tx, &network, subnet, container, ports))?;
            // A bridge that was made again meanwhile may have another subnet.
            if bring_up::is_up(store, &network)? && rows::default_network(store)?.subnet == Some(subnet) {
                forward_policy::admit(store)?;
                return Ok((network, subnet, address));
            }
        }
        bring_up::bring_up(store)?;
    }
    Err(Error::new(ErrorKind::Busy, "the network keeps changing").hint("try again"))
}
