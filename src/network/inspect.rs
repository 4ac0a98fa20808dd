//! A network in the shape of `docker network inspect`.

use super::rows::Network;
use super::{address, link_prefix};
use crate::error::Result;
use crate::model::NetworkInfo;
use crate::runtime::network::{WayKind, mac_address, way_out};
use crate::store::Store;
use crate::store::rusqlite::OptionalExtension;
use serde_json::{Map, Value, json};

/// Everything about a network.
pub fn inspect(store: &Store, network: &Network) -> Result<Value> {
    let ranges = network
        .ranges
        .iter()
        .map(|range| json!({ "Subnet": range.subnet.to_string(), "Gateway": range.gateway.to_string() }));
    let mut options = Map::new();
    if let Some(mtu) = network.own_mtu {
        options.insert("com.docker.network.driver.mtu".to_owned(), mtu.to_string().into());
    }
    let mut about = json!({
        "Name": network.name,
        "Id": network.id,
        "Created": network.created,
        "Scope": "local",
        "Driver": "bridge",
        "EnableIPv4": true,
        "EnableIPv6": network.ipv6,
        "IPAM": { "Driver": "default", "Options": {}, "Config": ranges.collect::<Vec<_>>() },
        "Internal": network.internal,
        "Attachable": false,
        "Ingress": false,
        "ConfigFrom": { "Network": "" },
        "ConfigOnly": false,
        "Containers": containers(store, network)?,
        "Options": options,
        "Labels": network.labels,
        "Bridge": network.bridge,
    });
    let way = way_out();
    if way.kind != WayKind::Kernel && !network.internal {
        about["WayOut"] = json!({ "Kind": way.name(), "Reason": way.reason, "Limits": way.limits() });
    }
    Ok(about)
}

/// `host` and `none`, of which there is little to tell.
pub fn inspect_built_in(info: &NetworkInfo) -> Value {
    json!({
        "Name": info.name,
        "Id": info.id,
        "Scope": "local",
        "Driver": info.driver,
        "EnableIPv6": false,
        "IPAM": { "Driver": "default", "Options": null, "Config": [] },
        "Internal": false,
        "Attachable": false,
        "Ingress": false,
        "Containers": {},
        "Options": {},
        "Labels": {},
    })
}

/// Those that are connected now.
fn containers(store: &Store, network: &Network) -> Result<Map<String, Value>> {
    let mut containers = Map::new();
    let prefix = |is_ipv4: bool| network.range(is_ipv4).map_or(0, |range| range.subnet.prefix);
    for address in store.read(|db| address::in_network(db, &network.id))? {
        let name: Option<String> = store.read(|db| {
            let query = "SELECT name FROM containers WHERE id = ?1";
            Ok(db.query_row(query, [&address.container], |row| row.get(0)).optional()?)
        })?;
        let ipv6 = address.ip6.map(|ip| format!("{ip}/{}", prefix(false))).unwrap_or_default();
        let endpoint = json!({
            "Name": name.unwrap_or_default(),
            "EndpointID": format!("{}{}", link_prefix(store), address.link_suffix()),
            "MacAddress": mac_address(address.ip),
            "IPv4Address": format!("{}/{}", address.ip, prefix(true)),
            "IPv6Address": ipv6,
        });
        containers.insert(address.container, endpoint);
    }
    Ok(containers)
}
