//! Addresses in use. A freed one is given out again as late as possible: connection tracking and
//! neighbours remember the container that had it.

use super::rows::{Network, Range, parsed};
use crate::error::{Error, Result};
use crate::model::NetworkAttachment;
use crate::store::rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use std::net::{IpAddr, Ipv6Addr};

/// A container's addresses in one network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Its number, never given twice.
    pub serial: i64,
    /// Id of the network.
    pub network: String,
    /// The container's id.
    pub container: String,
    /// The IPv4 address.
    pub ip: IpAddr,
    /// The IPv6 address, where the network has them.
    pub ip6: Option<IpAddr>,
}

impl Address {
    /// What the name of its link on the host ends with: five hexadecimal digits, so that a million
    /// others were given out before one comes again.
    pub fn link_suffix(&self) -> String {
        format!("{:05x}", self.serial & 0xf_ffff)
    }

    /// Both addresses.
    pub fn all(&self) -> impl Iterator<Item = IpAddr> {
        std::iter::once(self.ip).chain(self.ip6)
    }
}

/// Takes the addresses that a container asks for, or the next free ones.
///
/// # Errors
/// `conflict` when an address is taken, or none is free; `invalid` when it is not one of the network's.
pub fn take(tx: &Transaction<'_>, network: &Network, container: &str, wanted: &NetworkAttachment) -> Result<Address> {
    let last: Option<i64> = tx
        .prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'addresses'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    let serial = last.unwrap_or(0) + 1;
    let range = network.range(true).ok_or_else(|| Error::not_found("the network has no subnet yet"))?;
    let ip = match wanted.ip {
        Some(ip) => fixed(tx, network, range, ip.into())?,
        // The first one is the gateway's as a rule.
        None => free(tx, network, range, serial as u64)?,
    };
    let ip6 = match (network.range(false), wanted.ip6) {
        (Some(range), Some(ip)) => Some(fixed(tx, network, range, ip.into())?),
        // The place of the IPv4 address, so that both are easy to tell together.
        (Some(range6), None) => Some(free(tx, network, range6, (range.subnet.offset(ip) - 1) as u64)?),
        (None, Some(ip)) => return Err(without_ipv6(network, ip)),
        (None, None) => None,
    };
    tx.prepare_cached("INSERT INTO addresses (serial, network, container, ip, ip6) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![serial, network.id, container, ip.to_string(), ip6.map(|ip| ip.to_string())])?;
    Ok(Address { serial, network: network.id.clone(), container: container.to_owned(), ip, ip6 })
}

/// The first free address from a place in the subnet on.
fn free(tx: &Transaction<'_>, network: &Network, range: Range, from: u64) -> Result<IpAddr> {
    let capacity = range.subnet.capacity();
    for step in 0..capacity {
        let ip = range.subnet.address(from + step);
        if ip != range.gateway && !is_in_use(tx, network, ip)? {
            return Ok(ip);
        }
    }
    Err(Error::conflict(format!("all {} addresses of the network `{}` are in use", capacity - 1, network.name))
        .hint("remove containers that are not needed: `prune_containers()`"))
}

fn fixed(tx: &Transaction<'_>, network: &Network, range: Range, ip: IpAddr) -> Result<IpAddr> {
    if !range.subnet.has(ip) {
        return Err(Error::invalid(format!(
            "`{ip}` is not an address of the network `{}`, whose subnet is `{}`",
            network.name, range.subnet
        ))
        .hint("choose an address of the subnet, or leave it out for a free one"));
    }
    if ip == range.gateway {
        return Err(Error::conflict(format!("`{ip}` is the gateway of the network `{}`", network.name))
            .hint("choose another address"));
    }
    if is_in_use(tx, network, ip)? {
        let holder = holder(tx, network, ip)?;
        return Err(Error::conflict(format!(
            "the address `{ip}` of the network `{}` is taken by container `{holder}`",
            network.name
        ))
        .hint(format!("stop `{holder}` or choose another address")));
    }
    Ok(ip)
}

fn without_ipv6(network: &Network, ip: Ipv6Addr) -> Error {
    Error::invalid(format!("the network `{}` has no IPv6, so `{ip}` cannot be an address in it", network.name))
        .hint("make the network with `ipv6: true`")
}

fn is_in_use(tx: &Transaction<'_>, network: &Network, ip: IpAddr) -> Result<bool> {
    let column = if ip.is_ipv4() { "ip" } else { "ip6" };
    let query = format!("SELECT 1 FROM addresses WHERE network = ?1 AND {column} = ?2");
    Ok(tx.prepare_cached(&query)?.exists(params![network.id, ip.to_string()])?)
}

fn holder(tx: &Transaction<'_>, network: &Network, ip: IpAddr) -> Result<String> {
    let name = tx
        .query_row(
            "SELECT coalesce(containers.name, substr(addresses.container, 1, 12)) FROM addresses
             LEFT JOIN containers ON containers.id = addresses.container
             WHERE network = ?1 AND (ip = ?2 OR ip6 = ?2)",
            params![network.id, ip.to_string()],
            |row| row.get(0),
        )
        .optional()?;
    Ok(name.unwrap_or_default())
}

/// Frees the addresses of a container, with the ports published on them.
pub fn give_up(tx: &Transaction<'_>, container: &str) -> Result<()> {
    tx.prepare_cached("DELETE FROM addresses WHERE container = ?1")?.execute([container])?;
    Ok(())
}

/// Frees one address.
pub fn give_up_serial(tx: &Transaction<'_>, serial: i64) -> Result<()> {
    tx.prepare_cached("DELETE FROM addresses WHERE serial = ?1")?.execute([serial])?;
    Ok(())
}

/// The addresses of a container, in the order in which they were given.
pub fn of(db: &Connection, container: &str) -> Result<Vec<Address>> {
    several(db, "WHERE container = ?1", &[&container])
}

/// The addresses in a network.
pub fn in_network(db: &Connection, network: &str) -> Result<Vec<Address>> {
    several(db, "WHERE network = ?1", &[&network])
}

/// All addresses in use.
pub fn all(db: &Connection) -> Result<Vec<Address>> {
    several(db, "", &[])
}

/// Whether any address of a network is in use.
pub fn any(db: &Connection, network: &str) -> Result<bool> {
    Ok(db.prepare_cached("SELECT 1 FROM addresses WHERE network = ?1 LIMIT 1")?.exists([network])?)
}

type Values<'a> = &'a [&'a dyn crate::store::rusqlite::ToSql];

fn several(db: &Connection, condition: &str, values: Values<'_>) -> Result<Vec<Address>> {
    let query = format!("SELECT serial, network, container, ip, ip6 FROM addresses {condition} ORDER BY serial");
    let mut statement = db.prepare_cached(&query)?;
    let mut rows = statement.query(values)?;
    let mut addresses = Vec::new();
    while let Some(row) = rows.next()? {
        addresses.push(read(row)?);
    }
    Ok(addresses)
}

fn read(row: &Row<'_>) -> Result<Address> {
    Ok(Address {
        serial: row.get(0)?,
        network: row.get(1)?,
        container: row.get(2)?,
        ip: parsed(&row.get::<_, String>(3)?)?,
        ip6: row.get::<_, Option<String>>(4)?.as_deref().map(parsed).transpose()?,
    })
}
