//! Finds out who has a port that cannot be published.

use super::{TABLE_PREFIX, ports, table};
use crate::error::Error;
use crate::model::Protocol;
use crate::runtime::network::in_home;
use crate::store::Store;
use crate::sys::nft::{Map, NftSocket};
use std::collections::HashSet;
use std::fs;
use std::net::{IpAddr, SocketAddr};

/// The error that names the holder, as far as it can be found out.
pub fn conflict(store: &Store, port: &str, address: SocketAddr, protocol: Protocol) -> Error {
    if let Some(name) = container(store, address, protocol) {
        return Error::conflict(format!("cannot publish port {port}: it is taken by container `{name}`"))
            .hint(format!("stop `{name}` or choose another port"));
    }
    let holder = other_root(store, address, protocol)
        .map(|root| format!("a container of another root (`{root}`)"))
        .or_else(|| process(address.port(), protocol))
        .unwrap_or_else(|| "another program".to_owned());
    Error::conflict(format!("cannot publish port {port}: it is taken by {holder}"))
        .hint("stop it or choose another port")
}

/// A container of this root.
fn container(store: &Store, address: SocketAddr, protocol: Protocol) -> Option<String> {
    let publishers = store.read(|db| ports::publishers(db, address.port(), protocol)).ok()?;
    publishers.into_iter().find(|(_, ip)| overlap(*ip, address.ip())).map(|(name, _)| name)
}

/// The first digits of the id of another root that publishes the port.
fn other_root(store: &Store, address: SocketAddr, protocol: Protocol) -> Option<String> {
    let maps = Map::ALL.into_iter().filter(|map| map.is_tcp() == (protocol == Protocol::Tcp));
    let publishes = |nft: &mut NftSocket, table: &str| {
        maps.clone().any(|map| {
            nft.elements(table, map).is_ok_and(|elements| {
                elements.iter().any(|element| {
                    element.published.port() == address.port() && overlap(element.published.ip(), address.ip())
                })
            })
        })
    };
    let own = table(store);
    let look = || {
        NftSocket::with(|nft| {
            let tables = nft.tables().map_err(|refusal| refusal.doing("cannot list packet filters"))?;
            let others = tables.into_iter().filter(|name| name.starts_with(TABLE_PREFIX) && Some(name) != own.as_ref());
            Ok(others.into_iter().find(|name| publishes(nft, name)))
        })
    };
    in_home(look).ok()??.strip_prefix(TABLE_PREFIX).map(str::to_owned)
}

/// Whether a socket on one of these addresses keeps another from the other. A container publishes on
/// all IPv4 and all IPv6 addresses together, so those two are the same here.
fn overlap(one: IpAddr, other: IpAddr) -> bool {
    one == other || one.is_unspecified() || other.is_unspecified()
}

/// A program of the host: `process `nginx` (pid 12)`.
fn process(port: u16, protocol: Protocol) -> Option<String> {
    let inodes: HashSet<u64> =
        [format!("{protocol}"), format!("{protocol}6")].iter().flat_map(|file| inodes(file, port, protocol)).collect();
    let pid = processes().find(|pid| holds(*pid, &inodes))?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(format!("process `{}` (pid {pid})", name.trim_end()))
}

/// Inodes of the sockets that are bound to the port (proc_net_tcp: local address in field 1, state in
/// field 3, inode in field 9), in the thread's network namespace.
fn inodes(file: &str, port: u16, protocol: Protocol) -> Vec<u64> {
    /// `TCP_LISTEN`.
    const LISTENING: &str = "0A";
    let text = fs::read_to_string(format!("/proc/thread-self/net/{file}")).unwrap_or_default();
    let inode = |line: &str| {
        let fields: Vec<_> = line.split_ascii_whitespace().collect();
        let (_, local_port) = fields.get(1)?.rsplit_once(':')?;
        let matches = u16::from_str_radix(local_port, 16).ok()? == port
            && (protocol == Protocol::Udp || *fields.get(3)? == LISTENING);
        if matches { fields.get(9)?.parse().ok() } else { None }
    };
    text.lines().skip(1).filter_map(inode).collect()
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn holds(pid: u32, inodes: &HashSet<u64>) -> bool {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    descriptors.filter_map(|entry| fs::read_link(entry.path()).ok()).any(|target| {
        let inode = target.to_str().and_then(|text| text.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok());
        inode.is_some_and(|inode| inodes.contains(&inode))
    })
}
