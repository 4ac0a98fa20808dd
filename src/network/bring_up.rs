//! Makes what the host needs for a network: the bridge, its addresses, the packet filter, forwarding.

use super::choose::{self, Taken};
use super::rows::{self, Network, Range};
use super::{Subnet, firewall, forward_policy, host_lock, install, sysctl, table};
use crate::error::{Error, Result};
use crate::privilege::Privilege;
use crate::runtime::network as home;
use crate::store::Store;
use crate::sys::netlink::{Refusal, RouteEntry, RouteSocket, link_index};
use nix::errno::Errno;

/// Ethernet's, for a host without a default route.
const DEFAULT_MTU: u32 = 1500;
/// The largest that the kernel takes for a bridge: loopback's is one byte larger.
pub const LARGEST_MTU: u32 = 65_535;

/// Whether the bridge and its part of the packet filter are there. The filter is made last.
pub fn is_up(store: &Store, network: &Network) -> Result<bool> {
    home::in_home(|| {
        if network.ranges.is_empty() || link_index(&network.bridge).is_none() {
            return Ok(false);
        }
        table(store).map_or(Ok(true), |table| firewall::is_there(&table, &network.bridge))
    })
}

/// Makes what is missing of these networks.
///
/// # Errors
/// `conflict` when a subnet that somebody chose clashes with a route of the host; others are replaced.
pub fn bring_up(store: &Store, networks: &[Network]) -> Result<()> {
    let _lock = host_lock::hold()?;
    let host = Host::look()?;
    home::make()?;
    home::in_home(|| bring_up_locked(store, &host, networks))
}

fn bring_up_locked(store: &Store, host: &Host, networks: &[Network]) -> Result<()> {
    let mut links = RouteSocket::open()?;
    let (mut all_up, mut fresh) = (true, Vec::new());
    for network in networks {
        // As it is now, with the lock held.
        let Some(network) = store.read(|db| rows::get(db, &network.id))? else { continue };
        if !is_up(store, &network)? {
            all_up = false;
            if link_index(&network.bridge).is_none() {
                fresh.push(network.id.clone());
            }
            make_bridge(store, host, &mut links, &network)?;
        }
    }
    if all_up {
        return Ok(());
    }
    install::install(store, &fresh)?;
    forward_policy::admit_locked(store)?;
    // Last, when nothing unwanted is forwarded any more.
    sysctl::set("ipv4/ip_forward", "1")?;
    if networks.iter().any(|network| network.ipv6) {
        sysctl::forward_ipv6()?;
    }
    Ok(())
}

/// What the machine's own networks are.
pub struct Host {
    routes: Vec<RouteEntry>,
    mtu: u32,
}

impl Host {
    /// As they are in the network namespace of this thread.
    pub fn look() -> Result<Self> {
        let mut links = RouteSocket::open()?;
        let routes = list(&mut links)?;
        Ok(Self { mtu: host_mtu(&mut links, &routes)?, routes })
    }

    /// Its routes, and those of our bridges, wherever they are: no subnet is to be on both sides.
    pub fn routes(&self) -> Result<Vec<RouteEntry>> {
        if !Privilege::current().is_rootless() {
            return list(&mut RouteSocket::open()?);
        }
        let mut routes = home::in_home(|| list(&mut RouteSocket::open()?))?;
        routes.extend(&self.routes);
        Ok(routes)
    }
}

fn make_bridge(store: &Store, host: &Host, links: &mut RouteSocket, network: &Network) -> Result<()> {
    let routes = host.routes()?;
    let (ranges, mtu) = if link_index(&network.bridge).is_some() && !network.ranges.is_empty() {
        (network.ranges.clone(), network.mtu)
    } else {
        let mtu = network.own_mtu.unwrap_or(host.mtu);
        (ranges(store, network, &routes)?, mtu)
    };
    store.write(|tx| rows::set_ranges(tx, &network.id, &ranges, mtu))?;

    let bridge = &network.bridge;
    let making = |refusal: Refusal| refusal.doing(format!("cannot make bridge `{bridge}`"));
    exists_already(links.create_bridge(bridge, mtu)).map_err(making)?;
    let index = link_index(bridge).ok_or_else(|| making(Refusal::of(Errno::ENODEV)))?;
    // Without IPv6: no router advertisement of a container is to reach the host; nor with it.
    sysctl::set_if_present(&format!("ipv6/conf/{bridge}/accept_ra"), "0")?;
    sysctl::set_if_present(&format!("ipv6/conf/{bridge}/disable_ipv6"), if network.ipv6 { "0" } else { "1" })?;
    // So that 127.0.0.1 can be led to a container; the packet filter keeps others from using it.
    if table(store).is_some() {
        sysctl::set(&format!("ipv4/conf/{bridge}/route_localnet"), "1")?;
    }
    for range in &ranges {
        exists_already(links.add_address(index, range.gateway, range.subnet.prefix)).map_err(making)?;
    }
    Ok(())
}

fn list(links: &mut RouteSocket) -> Result<Vec<RouteEntry>> {
    links.routes().map_err(|refusal| refusal.doing("cannot list the host's routes"))
}

/// The subnets that a network is to have now.
pub fn ranges(store: &Store, network: &Network, routes: &[RouteEntry]) -> Result<Vec<Range>> {
    let others: Vec<Subnet> = store
        .read(rows::all)?
        .iter()
        .filter(|other| other.id != network.id)
        .flat_map(|other| other.ranges.iter().map(|range| range.subnet))
        .collect();
    let taken = Taken { routes, subnets: &others };
    if network.is_asked {
        for Range { subnet, .. } in &network.ranges {
            if let Some(holder) = taken.holder(*subnet) {
                return Err(Error::conflict(format!(
                    "network `{}` cannot have the subnet `{subnet}`: it overlaps {holder}",
                    network.name
                ))
                .hint("choose another `subnet`, or leave it out for a free one"));
            }
        }
    }
    let range = |is_ipv4: bool, choose: &dyn Fn(Option<Subnet>) -> Result<Subnet>| -> Result<Range> {
        let had = network.range(is_ipv4);
        let subnet = choose(had.map(|range| range.subnet))?;
        Ok(had.filter(|had| had.subnet == subnet).unwrap_or(Range { subnet, gateway: subnet.default_gateway() }))
    };
    let seed = store.root_id8();
    let ipv4 = range(true, &|had| {
        if network.is_default() { choose::large(had, seed, taken) } else { choose::small(had, &network.id, taken) }
    })?;
    let mut ranges = vec![ipv4];
    if network.ipv6 {
        ranges.push(range(false, &|had| choose::local_ipv6(had, &network.id, taken))?);
    }
    Ok(ranges)
}

/// The largest packet that leaves the host whole: with a larger one inside, connections to the outside
/// crawl or hang where "fragmentation needed" does not come back.
fn host_mtu(links: &mut RouteSocket, routes: &[RouteEntry]) -> Result<u32> {
    let leads_out = |route: &&RouteEntry| route.prefix == 0 && route.link != 0 && route.destination.is_ipv4();
    let default = routes.iter().filter(leads_out).min_by_key(|route| route.priority);
    let Some(route) = default else { return Ok(DEFAULT_MTU) };
    let link = links.link_mtu(route.link).map_err(|refusal| refusal.doing("cannot look at the host's link"))?;
    Ok(route.mtu.or(link).unwrap_or(DEFAULT_MTU).min(LARGEST_MTU))
}

fn exists_already(result: Result<(), Refusal>) -> Result<(), Refusal> {
    match result {
        Err(refusal) if refusal.errno == Errno::EEXIST => Ok(()),
        other => other,
    }
}
