//! The rows of networks, and of what is published.

use super::Subnet;
use crate::error::{Error, Result};
use crate::events::{self, Occurrence};
use crate::model::{Id, Protocol, PublishedPort};
use crate::store::Store;
use crate::store::rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use std::net::IpAddr;
use std::str::FromStr;

/// A network as the database has it.
#[derive(Clone, Debug)]
pub struct Network {
    pub id: String,
    pub bridge: String,
    /// `None` until its bridge was made once.
    pub subnet: Option<Subnet>,
    pub mtu: u32,
}

/// The default network; its row is made when it is missing.
pub fn default_network(store: &Store) -> Result<Network> {
    if let Some(network) = store.read(|db| find(db, super::DEFAULT))? {
        return Ok(network);
    }
    let (network, made) = store.write(|tx| {
        if let Some(made_meanwhile) = find(tx, super::DEFAULT)? {
            return Ok((made_meanwhile, false));
        }
        let network = Network {
            id: Id::random()?.as_str().to_owned(),
            bridge: format!("{}n0", super::link_prefix(store)),
            subnet: None,
            mtu: 1500,
        };
        let created = jiff::Timestamp::now().as_nanosecond() as i64;
        tx.execute(
            "INSERT INTO networks (id, name, bridge, mtu, created) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![network.id, super::DEFAULT, network.bridge, network.mtu, created],
        )?;
        Ok((network, true))
    })?;
    if made {
        events::record(store.root(), &[Occurrence::network("create", &network.id, super::DEFAULT, "bridge")]);
    }
    Ok(network)
}

/// The default network, if it was ever used.
pub fn find_default(store: &Store) -> Result<Option<Network>> {
    store.read(|db| find(db, super::DEFAULT))
}

fn find(db: &Connection, name: &str) -> Result<Option<Network>> {
    let mut statement = db.prepare_cached("SELECT id, bridge, subnet, mtu FROM networks WHERE name = ?1")?;
    let row = statement
        .query_row([name], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, Option<String>>(2)?, row.get(3)?)))
        .optional()?;
    row.map(|(id, bridge, subnet, mtu)| {
        let subnet = subnet.as_deref().map(parsed::<Subnet>).transpose()?;
        Ok(Network { id, bridge, subnet, mtu })
    })
    .transpose()
}

/// Writes down what the bridge is made with.
pub fn set_subnet(tx: &Transaction<'_>, network: &str, subnet: Subnet, mtu: u32) -> Result<()> {
    tx.execute("UPDATE networks SET subnet = ?2, mtu = ?3 WHERE id = ?1", params![network, subnet.to_string(), mtu])?;
    Ok(())
}

/// Writes the published ports of an address.
pub fn add_ports(tx: &Transaction<'_>, address: i64, ports: &[PublishedPort]) -> Result<()> {
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

/// The published ports of an address.
pub fn ports(db: &Connection, address: i64) -> Result<Vec<PublishedPort>> {
    let mut statement = db.prepare_cached(
        "SELECT host_ip, host_port, container_port, protocol FROM published_ports WHERE address = ?1 ORDER BY position",
    )?;
    let rows = statement.query_map([address], port_row)?;
    rows.map(|row| port(row?)).collect()
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

/// What we wrote ourselves, read back.
pub fn parsed<T: FromStr>(text: &str) -> Result<T> {
    text.parse().map_err(|_| Error::corrupt(format!("the database holds `{text}` where it cannot be")))
}
