//! Published ports: each is an element of a map that the rules of the root's table look packets up in, where the
//! container has an address of that family. What is not, the proxy serves alone.

use super::plan::BridgePlan;
use crate::error::Result;
use crate::model::{Protocol, PublishedPort};
use crate::sys::netlink::{Refusal, forget_udp};
use crate::sys::nft::{Batch, Map, NftSocket};
use nix::errno::Errno;
use std::net::{IpAddr, SocketAddr};

/// An entry of a map: where, the published address and port, and the container's.
pub type PortEntry = (Map, SocketAddr, SocketAddr);

/// The entries of ports that are published on a container with these addresses.
pub fn port_entries(addresses: &[IpAddr], ports: &[PublishedPort]) -> Vec<PortEntry> {
    let entry = |port: &PublishedPort| {
        let target = addresses.iter().find(|ip| ip.is_ipv4() == port.host_ip.is_ipv4())?;
        let (tcp, any) = (port.protocol == Protocol::Tcp, port.host_ip.is_unspecified());
        let map = match (port.host_ip.is_ipv4(), tcp, any) {
            (true, true, true) => Map::TcpPorts,
            (true, true, false) => Map::TcpAddresses,
            (true, false, true) => Map::UdpPorts,
            (true, false, false) => Map::UdpAddresses,
            (false, true, true) => Map::Tcp6Ports,
            (false, true, false) => Map::Tcp6Addresses,
            (false, false, true) => Map::Udp6Ports,
            (false, false, false) => Map::Udp6Addresses,
        };
        let published = SocketAddr::new(port.host_ip, port.host_port);
        Some((map, published, SocketAddr::new(*target, port.container_port)))
    };
    ports.iter().filter_map(entry).collect()
}

fn entries(plan: &BridgePlan) -> Vec<PortEntry> {
    let addresses: Vec<IpAddr> =
        plan.way_out().map_or(Vec::new(), |link| link.addresses.iter().map(|address| address.ip).collect());
    port_entries(&addresses, &plan.ports)
}

/// Leads published ports to the container's address.
///
/// The caller holds a socket on each port, so an element that is in the way was left by a container
/// whose monitor was killed: it is replaced.
pub fn publish(plan: &BridgePlan) -> Result<()> {
    let (Some(table), entries) = (&plan.table, entries(plan)) else { return Ok(()) };
    if entries.is_empty() {
        return Ok(());
    }
    NftSocket::with(|nft| {
        let mut batch = Batch::new();
        add(&mut batch, table, &entries);
        let result = match nft.commit(batch) {
            Err(refusal) if refusal.errno == Errno::EEXIST => replace(nft, table, &entries),
            result => result,
        };
        result.map_err(|refusal| refusal.doing(format!("cannot publish {}", list(&entries))))
    })
}

fn replace(nft: &mut NftSocket, table: &str, entries: &[PortEntry]) -> Result<(), Refusal> {
    let mut batch = Batch::new();
    for (map, key, _) in entries {
        if nft.element(table, *map, *key)?.is_some() {
            batch.delete_element(table, *map, *key);
        }
    }
    add(&mut batch, table, entries);
    nft.commit(batch)
}

/// Takes back those of the published ports that lead to this container, and has the kernel forget who talked with it over
/// UDP: such clients would be led to its address for as long as they go on.
pub fn withdraw(plan: &BridgePlan) -> Result<()> {
    take_back(plan)?;
    let udp: Vec<_> = entries(plan).into_iter().filter(|(map, ..)| !map.is_tcp()).collect();
    if udp.is_empty() || plan.table.is_none() {
        return Ok(());
    }
    forget_udp(&udp.iter().map(|(_, _, target)| (target.ip(), target.port())).collect::<Vec<_>>())
}

/// Looks before it deletes: the kernel takes a batch that it refuses back in 10 ms and more
/// (`__nf_tables_abort` waits for an RCU grace period).
fn take_back(plan: &BridgePlan) -> Result<()> {
    let (Some(table), entries) = (&plan.table, entries(plan)) else { return Ok(()) };
    if entries.is_empty() {
        return Ok(());
    }
    NftSocket::with(|nft| {
        let mut batch = Batch::new();
        for (map, key, target) in &entries {
            let element = nft.element(table, *map, *key).map_err(|refusal| refusal.doing(withdrawing(&entries)))?;
            if element.is_some_and(|element| element.target.ip() == target.ip()) {
                batch.delete_element(table, *map, *key);
            }
        }
        match nft.commit(batch) {
            // Somebody else has removed one of them meanwhile, so all that are left go one by one.
            Err(refusal) if refusal.errno == Errno::ENOENT => remove_each(nft, table, &entries),
            result => result.map_err(|refusal| refusal.doing(withdrawing(&entries))),
        }
    })
}

/// Goes on after a failure.
fn remove_each(nft: &mut NftSocket, table: &str, entries: &[PortEntry]) -> Result<()> {
    let mut result = Ok(());
    for (map, key, target) in entries {
        // By now it may be somebody else's.
        let element = nft.element(table, *map, *key).map_err(|refusal| refusal.doing(withdrawing(entries)))?;
        if element.is_none_or(|element| element.target.ip() != target.ip()) {
            continue;
        }
        let mut batch = Batch::new();
        batch.delete_element(table, *map, *key);
        match nft.commit(batch) {
            Err(refusal) if refusal.errno != Errno::ENOENT => result = Err(refusal.doing(withdrawing(entries))),
            _ => {}
        }
    }
    result
}

fn add(batch: &mut Batch, table: &str, entries: &[PortEntry]) {
    for (map, key, target) in entries {
        batch.add_element(table, *map, *key, *target);
    }
}

fn withdrawing(entries: &[PortEntry]) -> String {
    format!("cannot take back {}", list(entries))
}

fn list(entries: &[PortEntry]) -> String {
    let protocol = |map: Map| if map.is_tcp() { "tcp" } else { "udp" };
    let ports: Vec<_> = entries.iter().map(|(map, key, _)| format!("{}/{}", key.port(), protocol(*map))).collect();
    format!("port {}", ports.join(", "))
}
