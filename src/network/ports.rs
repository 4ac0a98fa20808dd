//! The rows of published ports.

use super::rows::parsed;
use crate::error::Result;
use crate::model::{Protocol, PublishedPort};
use crate::store::rusqlite::{Connection, Row, Transaction, params};
use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};

/// Writes the published ports of an address.
pub fn add(tx: &Transaction<'_>, address: i64, ports: &[PublishedPort]) -> Result<()> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO published_ports (address, position, host_ip, host_port, container_port, protocol)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for (position, port) in ports.iter().enumerate() {
        insert.execute(params![
            address,
            position as i64,
            port.host_ip.to_string(),
            port.host_port,
            port.container_port,
            port.protocol.to_string(),
        ])?;
    }
    Ok(())
}

/// They belong to another address of the same container now.
pub fn move_to(tx: &Transaction<'_>, from: i64, to: i64) -> Result<()> {
    tx.prepare_cached("UPDATE published_ports SET address = ?2 WHERE address = ?1")?.execute([from, to])?;
    Ok(())
}

/// The published ports of an address.
pub fn of(db: &Connection, address: i64) -> Result<Vec<PublishedPort>> {
    let mut statement = db.prepare_cached(
        "SELECT host_ip, host_port, container_port, protocol FROM published_ports WHERE address = ?1 ORDER BY position",
    )?;
    let rows = statement.query_map([address], port_row)?;
    rows.map(|row| port(row?)).collect()
}

/// All published addresses and ports: whether it is TCP, and the address.
pub fn taken(db: &Connection) -> Result<HashSet<(bool, SocketAddr)>> {
    let mut statement =
        db.prepare_cached("SELECT host_ip, host_port, container_port, protocol FROM published_ports")?;
    let rows = statement.query_map([], port_row)?;
    rows.map(|row| {
        let port = port(row?)?;
        Ok((port.protocol == Protocol::Tcp, SocketAddr::new(port.host_ip, port.host_port)))
    })
    .collect()
}

/// Names of containers that publish this port, each with the address it is published on.
pub fn publishers(db: &Connection, host_port: u16, protocol: Protocol) -> Result<Vec<(String, IpAddr)>> {
    let mut statement = db.prepare_cached(
        "SELECT coalesce(containers.name, substr(addresses.container, 1, 12)), published_ports.host_ip
         FROM published_ports
         JOIN addresses ON addresses.serial = published_ports.address
         LEFT JOIN containers ON containers.id = addresses.container
         WHERE host_port = ?1 AND protocol = ?2",
    )?;
    let rows = statement.query_map(params![host_port, protocol.to_string()], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
    })?;
    rows.map(|row| {
        let (name, ip) = row?;
        Ok((name, parsed(&ip)?))
    })
    .collect()
}

type PortRow = (String, u16, u16, String);

fn port_row(row: &Row<'_>) -> crate::store::rusqlite::Result<PortRow> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
}

fn port((host_ip, host_port, container_port, protocol): PortRow) -> Result<PublishedPort> {
    Ok(PublishedPort { host_ip: parsed(&host_ip)?, host_port, container_port, protocol: parsed(&protocol)? })
}
