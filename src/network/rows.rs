//! The rows of networks.

use super::Subnet;
use crate::error::{Error, Result};
use crate::events::{self, Occurrence};
use crate::model::Id;
use crate::store::Store;
use crate::store::rusqlite::{Connection, Row, Transaction, params};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::str::FromStr;

/// A network as the database has it.
#[derive(Clone, Debug)]
pub struct Network {
    /// 64 hexadecimal digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Name of the link on the host: `sh<id8>n…`.
    pub bridge: String,
    /// IPv4, and IPv6 where it has it. Of the default network none until its bridge was made once.
    pub ranges: Vec<Range>,
    /// The subnets are the user's choice.
    pub is_asked: bool,
    /// It has IPv6 addresses, too.
    pub ipv6: bool,
    /// Nothing leads out of it.
    pub internal: bool,
    /// What the bridge was made with last.
    pub mtu: u32,
    /// The user's choice.
    pub own_mtu: Option<u32>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// When it was made.
    pub created: jiff::Timestamp,
}

/// A subnet and the bridge's address in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    pub subnet: Subnet,
    pub gateway: IpAddr,
}

impl Network {
    /// Its range of IPv4 or of IPv6.
    pub fn range(&self, is_ipv4: bool) -> Option<Range> {
        self.ranges.iter().copied().find(|range| range.subnet.is_ipv4() == is_ipv4)
    }

    /// Whether it is the network of containers that ask for none.
    pub fn is_default(&self) -> bool {
        self.name == super::DEFAULT
    }
}

const COLUMNS: &str = "id, name, bridge, subnet, gateway, subnet6, gateway6, is_asked, ipv6, internal, mtu, own_mtu, \
                       labels, created";

/// The network of this name; that of the default one is made when it is missing.
pub fn get_or_default(store: &Store, name: &str) -> Result<Option<Network>> {
    if name == super::DEFAULT { default_network(store).map(Some) } else { store.read(|db| find(db, name)) }
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
            name: super::DEFAULT.to_owned(),
            bridge: free_bridge(tx, store)?,
            ranges: Vec::new(),
            is_asked: false,
            ipv6: false,
            internal: false,
            mtu: 1500,
            own_mtu: None,
            labels: BTreeMap::new(),
            created: jiff::Timestamp::now(),
        };
        insert(tx, &network)?;
        Ok((network, true))
    })?;
    if made {
        events::record(store.root(), &[Occurrence::network("create", &network.id, super::DEFAULT, "bridge")]);
    }
    Ok(network)
}

/// The network of this name.
pub fn find(db: &Connection, name: &str) -> Result<Option<Network>> {
    one(db, "name = ?1", name)
}

/// The network with this id.
pub fn get(db: &Connection, id: &str) -> Result<Option<Network>> {
    one(db, "id = ?1", id)
}

/// Networks whose id starts with these digits.
pub fn by_prefix(db: &Connection, prefix: &str) -> Result<Vec<Network>> {
    let mut statement =
        db.prepare_cached(&format!("SELECT {COLUMNS} FROM networks WHERE id >= ?1 AND id < ?1 || 'g' LIMIT 2"))?;
    collect(statement.query([prefix])?)
}

/// All networks, the oldest first.
pub fn all(db: &Connection) -> Result<Vec<Network>> {
    let mut statement = db.prepare_cached(&format!("SELECT {COLUMNS} FROM networks ORDER BY created"))?;
    collect(statement.query([])?)
}

fn one(db: &Connection, condition: &str, value: &str) -> Result<Option<Network>> {
    let mut statement = db.prepare_cached(&format!("SELECT {COLUMNS} FROM networks WHERE {condition}"))?;
    Ok(collect(statement.query([value])?)?.pop())
}

fn collect(mut rows: crate::store::rusqlite::Rows<'_>) -> Result<Vec<Network>> {
    let mut networks = Vec::new();
    while let Some(row) = rows.next()? {
        networks.push(read(row)?);
    }
    Ok(networks)
}

fn read(row: &Row<'_>) -> Result<Network> {
    let mut ranges = Vec::new();
    for (subnet, gateway) in [(3, 4), (5, 6)] {
        let Some(subnet) = row.get::<_, Option<String>>(subnet)? else { continue };
        let subnet: Subnet = parsed(&subnet)?;
        let gateway = row.get::<_, Option<String>>(gateway)?.as_deref().map(parsed).transpose()?;
        ranges.push(Range { subnet, gateway: gateway.unwrap_or_else(|| subnet.default_gateway()) });
    }
    let labels: String = row.get(12)?;
    let created = jiff::Timestamp::from_nanosecond(i128::from(row.get::<_, i64>(13)?));
    Ok(Network {
        id: row.get(0)?,
        name: row.get(1)?,
        bridge: row.get(2)?,
        ranges,
        is_asked: row.get(7)?,
        ipv6: row.get(8)?,
        internal: row.get(9)?,
        mtu: row.get(10)?,
        own_mtu: row.get(11)?,
        labels: serde_json::from_str(&labels).unwrap_or_default(),
        created: created.unwrap_or(jiff::Timestamp::UNIX_EPOCH),
    })
}

/// Inserts a network whose name is free.
pub fn insert(tx: &Transaction<'_>, network: &Network) -> Result<()> {
    let labels = serde_json::to_string(&network.labels)
        .map_err(|error| Error::invalid(format!("the labels cannot be written: {error}")))?;
    tx.execute(
        "INSERT INTO networks (id, name, bridge, mtu, created, is_asked, ipv6, internal, own_mtu, labels)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            network.id,
            network.name,
            network.bridge,
            network.mtu,
            network.created.as_nanosecond() as i64,
            network.is_asked,
            network.ipv6,
            network.internal,
            network.own_mtu,
            labels,
        ],
    )?;
    set_ranges(tx, &network.id, &network.ranges, network.mtu)
}

/// Writes down what the bridge is made with.
pub fn set_ranges(tx: &Transaction<'_>, network: &str, ranges: &[Range], mtu: u32) -> Result<()> {
    let of = |is_ipv4: bool| {
        let range = ranges.iter().find(|range| range.subnet.is_ipv4() == is_ipv4);
        range.map(|range| (range.subnet.to_string(), range.gateway.to_string())).unzip()
    };
    let ((subnet, gateway), (subnet6, gateway6)): ((Option<String>, Option<String>), _) = (of(true), of(false));
    tx.execute(
        "UPDATE networks SET subnet = ?2, gateway = ?3, subnet6 = ?4, gateway6 = ?5, mtu = ?6 WHERE id = ?1",
        params![network, subnet, gateway, subnet6, gateway6, mtu],
    )?;
    Ok(())
}

/// Deletes a network that nobody uses.
pub fn delete(tx: &Transaction<'_>, network: &str) -> Result<()> {
    tx.execute("DELETE FROM networks WHERE id = ?1", [network])?;
    Ok(())
}

/// A name for a bridge that no network has: `sh<id8>n0`, up to four digits to the base 36.
pub fn free_bridge(db: &Connection, store: &Store) -> Result<String> {
    let mut statement = db.prepare("SELECT bridge FROM networks")?;
    let used: std::collections::HashSet<String> =
        statement.query_map([], |row| row.get(0))?.collect::<crate::store::rusqlite::Result<_>>()?;
    let name = |number: u32| format!("{}{}", super::bridge_prefix(store), base_36(number));
    (0..36u32.pow(4))
        .map(name)
        .find(|name| !used.contains(name))
        .ok_or_else(|| Error::conflict("there are too many networks").hint("remove some: `prune_networks()`"))
}

fn base_36(mut number: u32) -> String {
    let mut digits = Vec::new();
    loop {
        digits.push(char::from_digit(number % 36, 36).unwrap_or('0'));
        number /= 36;
        if number == 0 {
            return digits.into_iter().rev().collect();
        }
    }
}

/// Names of the containers that are connected to a network, or will be when they start.
pub fn users(db: &Connection, name: &str) -> Result<Vec<String>> {
    let asked = "EXISTS (SELECT 1 FROM json_each(containers.spec, '$.networks') AS wanted
                 WHERE coalesce(iif(wanted.type = 'object', wanted.value ->> '$.network', wanted.value), '') IN (?1, ?2))";
    let unasked = if name == super::DEFAULT { "OR json_array_length(spec, '$.networks') = 0" } else { "" };
    let other = if name == super::DEFAULT { "default" } else { name };
    let mut statement =
        db.prepare_cached(&format!("SELECT name FROM containers WHERE {asked} {unasked} ORDER BY created"))?;
    let names = statement.query_map([name, other], |row| row.get(0))?;
    Ok(names.collect::<crate::store::rusqlite::Result<_>>()?)
}

/// What we wrote ourselves, read back.
pub fn parsed<T: FromStr>(text: &str) -> Result<T> {
    text.parse().map_err(|_| Error::corrupt(format!("the database holds `{text}` where it cannot be")))
}
