//! Makes what the host needs for a network: the bridge, its address, the packet filter, forwarding.

use super::rows::{self, Network};
use super::{address, firewall, forward_policy, host_lock, subnet, sysctl, table};
use crate::error::Result;
use crate::store::Store;
use crate::sys::netlink::{Refusal, RouteEntry, RouteSocket, link_index};
use nix::errno::Errno;

/// Ethernet's, for a host without a default route.
const DEFAULT_MTU: u32 = 1500;

/// Whether the bridge and the packet filter are there. The filter is made last.
pub fn is_up(store: &Store, network: &Network) -> Result<bool> {
    if link_index(&network.bridge).is_none() {
        return Ok(false);
    }
    firewall::is_there(&table(store))
}

/// Makes what is missing; a subnet that clashes with a new route of the host is replaced while nobody
/// uses it.
pub fn bring_up(store: &Store) -> Result<()> {
    let _lock = host_lock::hold()?;
    let network = rows::default_network(store)?;
    if network.subnet.is_some() && is_up(store, &network)? {
        return Ok(());
    }
    let mut links = RouteSocket::open()?;
    let routes = links.routes().map_err(|refusal| refusal.doing("cannot list the host's routes"))?;
    let bridge = link_index(&network.bridge);
    let (subnet, mtu) = match (bridge, network.subnet) {
        (Some(_), Some(subnet)) => (subnet, network.mtu),
        (_, had) => (subnet::choose(had, store.root_id8(), &routes)?, host_mtu(&mut links, &routes)?),
    };
    store.write(|tx| rows::set_subnet(tx, &network.id, subnet, mtu))?;

    let making = |refusal: Refusal| refusal.doing(format!("cannot make bridge `{}`", network.bridge));
    exists_already(links.create_bridge(&network.bridge, mtu)).map_err(making)?;
    let index = link_index(&network.bridge).ok_or_else(|| making(Refusal::of(Errno::ENODEV)))?;
    // A network without IPv6: no router advertisement of a container is to reach the host.
    sysctl::set_if_present(&format!("ipv6/conf/{}/disable_ipv6", network.bridge), "1")?;
    // So that 127.0.0.1 can be led to a container; the packet filter keeps others from using it.
    sysctl::set(&format!("ipv4/conf/{}/route_localnet", network.bridge), "1")?;
    exists_already(links.add_address(index, subnet.gateway(), subnet.prefix)).map_err(making)?;

    // On a new bridge nobody is connected: addresses in the database are of those who wait for it.
    let connected = if bridge.is_some() { published(store)? } else { Vec::new() };
    firewall::install(&table(store), &network.bridge, subnet, &connected)?;
    forward_policy::admit_locked(store)?;
    // Last, when nothing unwanted is forwarded any more.
    sysctl::set("ipv4/ip_forward", "1")
}

fn published(store: &Store) -> Result<Vec<firewall::Publisher>> {
    store.read(|db| {
        address::all(db)?.into_iter().map(|address| Ok((address.ip, rows::ports(db, address.serial)?))).collect()
    })
}

/// The largest packet that leaves the host whole: with a larger one inside, connections to the outside
/// crawl or hang where "fragmentation needed" does not come back.
fn host_mtu(links: &mut RouteSocket, routes: &[RouteEntry]) -> Result<u32> {
    let default = routes.iter().filter(|route| route.prefix == 0 && route.link != 0).min_by_key(|route| route.priority);
    let Some(route) = default else { return Ok(DEFAULT_MTU) };
    let link = links.link_mtu(route.link).map_err(|refusal| refusal.doing("cannot look at the host's link"))?;
    Ok(route.mtu.or(link).unwrap_or(DEFAULT_MTU))
}

fn exists_already(result: Result<(), Refusal>) -> Result<(), Refusal> {
    match result {
        Err(refusal) if refusal.errno == Errno::EEXIST => Ok(()),
        other => other,
    }
}
