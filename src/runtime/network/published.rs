//! Published ports: each IPv4 one is an element of a map that the rules of the root's table look
//! packets up in. IPv6 ones are served by the proxy alone.

use crate::error::Result;
use crate::model::{Protocol, PublishedPort};
use crate::sys::netlink::Refusal;
use crate::sys::nft::{Batch, Map, NftSocket};
use nix::errno::Errno;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};

/// The map and key that a published port stands under; `None`: the proxy serves it.
pub fn entry(port: &PublishedPort) -> Option<(Map, SocketAddrV4)> {
    let IpAddr::V4(ip) = port.host_ip else { return None };
    let map = match (port.protocol, ip.is_unspecified()) {
        (Protocol::Tcp, true) => Map::TcpPorts,
        (Protocol::Tcp, false) => Map::TcpAddresses,
        (Protocol::Udp, true) => Map::UdpPorts,
        (Protocol::Udp, false) => Map::UdpAddresses,
    };
    Some((map, SocketAddrV4::new(ip, port.host_port)))
}

/// Leads published ports to the container's address.
///
/// The caller holds a socket on each port, so an element that is in the way was left by a container
/// whose monitor was killed: it is replaced.
pub fn publish(table: &str, ip: Ipv4Addr, ports: &[PublishedPort]) -> Result<()> {
    NftSocket::with(|nft| {
        let mut batch = Batch::new();
        add(&mut batch, table, ip, ports);
        let result = match nft.commit(batch) {
            Err(refusal) if refusal.errno == Errno::EEXIST => replace(nft, table, ip, ports),
            result => result,
        };
        result.map_err(|refusal| refusal.doing(format!("cannot publish {}", list(ports))))
    })
}

fn replace(nft: &mut NftSocket, table: &str, ip: Ipv4Addr, ports: &[PublishedPort]) -> Result<(), Refusal> {
    let mut batch = Batch::new();
    for (map, key) in ports.iter().filter_map(entry) {
        if nft.element(table, map, key)?.is_some() {
            batch.delete_element(table, map, key);
        }
    }
    add(&mut batch, table, ip, ports);
    nft.commit(batch)
}

/// Takes back those of the published ports that lead to this address.
///
/// Looks before it deletes: the kernel takes a batch that it refuses back in 10 ms and more
/// (`__nf_tables_abort` waits for an RCU grace period).
pub fn withdraw(table: &str, ip: Ipv4Addr, ports: &[PublishedPort]) -> Result<()> {
    NftSocket::with(|nft| {
        let mut batch = Batch::new();
        for (map, key) in ports.iter().filter_map(entry) {
            let element = nft.element(table, map, key).map_err(|refusal| refusal.doing(withdrawing(ports)))?;
            if element.is_some_and(|element| *element.target.ip() == ip) {
                batch.delete_element(table, map, key);
            }
        }
        match nft.commit(batch) {
            // Somebody else has removed one of them meanwhile, so all that are left go one by one.
            Err(refusal) if refusal.errno == Errno::ENOENT => remove_each(nft, table, ports),
            result => result.map_err(|refusal| refusal.doing(withdrawing(ports))),
        }
    })
}

/// Goes on after a failure.
fn remove_each(nft: &mut NftSocket, table: &str, ports: &[PublishedPort]) -> Result<()> {
    let mut result = Ok(());
    for (map, key) in ports.iter().filter_map(entry) {
        let mut batch = Batch::new();
        batch.delete_element(table, map, key);
        match nft.commit(batch) {
            Err(refusal) if refusal.errno != Errno::ENOENT => result = Err(refusal.doing(withdrawing(ports))),
            _ => {}
        }
    }
    result
}

fn add(batch: &mut Batch, table: &str, ip: Ipv4Addr, ports: &[PublishedPort]) {
    for port in ports {
        if let Some((map, key)) = entry(port) {
            batch.add_element(table, map, key, SocketAddrV4::new(ip, port.container_port));
        }
    }
}

fn withdrawing(ports: &[PublishedPort]) -> String {
    format!("cannot take back {}", list(ports))
}

fn list(ports: &[PublishedPort]) -> String {
    let ports: Vec<_> = ports.iter().map(|port| format!("{}/{}", port.host_port, port.protocol)).collect();
    format!("port {}", ports.join(", "))
}
