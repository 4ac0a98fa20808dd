//! What is known about a network, for scripts.

use super::rows::{self, Network};
use crate::error::Result;
use crate::model::NetworkInfo;
use crate::store::Store;
use sha2::{Digest, Sha256};

/// What is known about a network now.
pub fn info(store: &Store, network: Network) -> Result<NetworkInfo> {
    let containers = store.read(|db| rows::users(db, &network.name))?;
    Ok(NetworkInfo {
        subnets: network.ranges.iter().map(|range| range.subnet.to_string()).collect(),
        gateways: network.ranges.iter().map(|range| range.gateway.to_string()).collect(),
        id: network.id,
        name: network.name,
        driver: "bridge".to_owned(),
        internal: network.internal,
        ipv6: network.ipv6,
        labels: network.labels,
        created: Some(network.created),
        containers,
    })
}

/// `host` and `none`, which are no rows; `None`: it is neither.
pub fn built_in(store: &Store, name: &str) -> Result<Option<NetworkInfo>> {
    let driver = match name {
        "host" => "host",
        "none" => "null",
        _ => return Ok(None),
    };
    Ok(Some(NetworkInfo {
        id: hex::encode(Sha256::digest(format!("{}/{name}", store.root_id()))),
        name: name.to_owned(),
        driver: driver.to_owned(),
        subnets: Vec::new(),
        gateways: Vec::new(),
        internal: false,
        ipv6: false,
        labels: std::collections::BTreeMap::new(),
        created: None,
        containers: store.read(|db| rows::users(db, name))?,
    }))
}
