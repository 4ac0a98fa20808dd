//! Addresses in use. A freed one is given out again as late as possible: connection tracking and
//! neighbours remember the container that had it.

use super::Subnet;
use super::rows::{self, Network, parsed};
use crate::error::{Error, Result};
use crate::model::PublishedPort;
use crate::store::rusqlite::{Connection, OptionalExtension, Transaction, params};
use std::net::Ipv4Addr;

/// An address of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Its number, never given twice.
    pub serial: i64,
    /// The container's id.
    pub container: String,
    /// The address.
    pub ip: Ipv4Addr,
}

impl Address {
    /// What the name of its link on the host ends with: five hexadecimal digits, so that a million
    /// others were given out before one comes again.
    pub fn link_suffix(&self) -> String {
        format!("{:05x}", self.serial & 0xf_ffff)
    }
}

/// Takes the next free address. What the container had from an earlier run is given up.
pub fn take(
    tx: &Transaction<'_>,
    network: &Network,
    subnet: Subnet,
    container: &str,
    ports: &[PublishedPort],
) -> Result<Address> {
    give_up(tx, container)?;
    let last: Option<i64> = tx
        .prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'addresses'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    let serial = last.unwrap_or(0) + 1;
    let mut in_use = tx.prepare_cached("SELECT 1 FROM addresses WHERE network = ?1 AND ip = ?2")?;
    for step in 0..u64::from(subnet.capacity()) {
        let ip = subnet.address(serial as u64 - 1 + step);
        if in_use.exists(params![network.id, ip.to_string()])? {
            continue;
        }
        tx.prepare_cached("INSERT INTO addresses (serial, network, container, ip) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![serial, network.id, container, ip.to_string()])?;
        rows::add_ports(tx, serial, ports)?;
        return Ok(Address { serial, container: container.to_owned(), ip });
    }
    Err(Error::conflict(format!("all {} addresses of the network are in use", subnet.capacity()))
        .hint("remove containers that are not needed: `prune_containers()`"))
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

/// The addresses of a container.
pub fn of(db: &Connection, container: &str) -> Result<Vec<Address>> {
    let mut statement = db.prepare_cached("SELECT serial, container, ip FROM addresses WHERE container = ?1")?;
    let rows = statement.query_map([container], row)?;
    rows.map(|row| address(row?)).collect()
}

/// All addresses in use.
pub fn all(db: &Connection) -> Result<Vec<Address>> {
    let mut statement = db.prepare_cached("SELECT serial, container, ip FROM addresses")?;
    let rows = statement.query_map([], row)?;
    rows.map(|row| address(row?)).collect()
}

/// Whether any address is in use.
pub fn any(db: &Connection) -> Result<bool> {
    Ok(db.prepare_cached("SELECT 1 FROM addresses LIMIT 1")?.exists([])?)
}

type AddressRow = (i64, String, String);

fn row(row: &crate::store::rusqlite::Row<'_>) -> crate::store::rusqlite::Result<AddressRow> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

fn address((serial, container, ip): AddressRow) -> Result<Address> {
    Ok(Address { serial, container, ip: parsed(&ip)? })
}
