//! Published ports: each IPv4 one is an element of a map that the rules of the root's table look
//! packets up in. IPv6 ones are served by the proxy alone.

use crate::error::{Error, ErrorKind, Result};
use crate::model::{Protocol, PublishedPort};
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
pub fn publish(socket: &mut NftSocket, table: &str, ip: Ipv4Addr, ports: &[PublishedPort]) -> Result<()> {
    let mut batch = Batch::new();
    add(&mut batch, table, ip, ports);
    let result = match socket.commit(batch) {
        Err(refusal) if refusal.errno == Errno::EEXIST => {
            let mut batch = Batch::new();
            for (map, key) in ports.iter().filter_map(entry) {
                let stale = socket.elements(table, map).map_err(|refusal| refusal.doing(listing(table)))?;
                if stale.iter().any(|element| element.published == key) {
                    batch.delete_element(table, map, key);
                }
            }
            add(&mut batch, table, ip, ports);
            socket.commit(batch)
        }
        result => result,
    };
    result.map_err(|refusal| refusal.doing(format!("cannot publish {}", list(ports))))
}

/// Takes published ports back; those that are gone already are none the less. Goes on after a failure.
pub fn withdraw(socket: &mut NftSocket, table: &str, ip: Ipv4Addr, ports: &[PublishedPort]) -> Result<()> {
    let entries: Vec<_> = ports.iter().filter_map(entry).collect();
    let mut batch = Batch::new();
    for (map, key) in &entries {
        batch.delete_element(table, *map, *key);
    }
    // The usual case is one message; a single missing element makes the kernel refuse all of them.
    if socket.commit(batch).is_ok() {
        return Ok(());
    }
    let mut failures = Vec::new();
    for (map, key) in entries {
        let mut batch = Batch::new();
        batch.delete_element(table, map, key);
        match socket.commit(batch) {
            Err(refusal) if refusal.errno != Errno::ENOENT => {
                failures.push(refusal.doing(format!("port {key}")).message());
            }
            _ => {}
        }
    }
    if failures.is_empty() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Io, format!("cannot take published ports of {ip} back: {}", failures.join("; "))))
}

fn add(batch: &mut Batch, table: &str, ip: Ipv4Addr, ports: &[PublishedPort]) {
    for port in ports {
        if let Some((map, key)) = entry(port) {
            batch.add_element(table, map, key, SocketAddrV4::new(ip, port.container_port));
        }
    }
}

fn listing(table: &str) -> String {
    format!("cannot list the published ports of table `{table}`")
}

fn list(ports: &[PublishedPort]) -> String {
    let ports: Vec<_> = ports.iter().map(|port| format!("{}/{}", port.host_port, port.protocol)).collect();
    format!("port {}", ports.join(", "))
}
