//! `NetworkSettings`: how it is connected.

use crate::container::row::Row;
use crate::model::{ContainerInfo, PublishedPort};
use crate::runtime::network::NetworkPlan;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Of a container that does not run, names without addresses.
pub fn network(row: &Row, info: &ContainerInfo) -> Value {
    let bridge = match &row.plan.network {
        NetworkPlan::Bridge(bridge) if info.status.is_alive() => Some(bridge),
        _ => None,
    };
    let address = info.ip.map(|ip| ip.to_string()).unwrap_or_default();
    let gateway = bridge.map(|bridge| bridge.gateway.to_string()).unwrap_or_default();
    let prefix = bridge.map_or(0, |bridge| bridge.prefix);
    let mode = row.spec.networks.first().map_or("bridge", String::as_str);
    let mut networks = serde_json::Map::new();
    // Of a network that is another container's, Docker shows nothing either.
    if !mode.starts_with("container:") {
        let network = json!({
            "IPAMConfig": null,
            "Links": null,
            "Aliases": null,
            "Gateway": gateway,
            "IPAddress": address,
            "IPPrefixLen": prefix,
            "IPv6Gateway": "",
            "GlobalIPv6Address": "",
            "GlobalIPv6PrefixLen": 0,
            "MacAddress": "",
            "DriverOpts": null,
        });
        networks.insert(mode.to_owned(), network);
    }
    json!({
        "Bridge": "",
        "SandboxKey": info.pid.map(|pid| format!("/proc/{pid}/ns/net")).unwrap_or_default(),
        "HairpinMode": false,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "Ports": ports(&info.ports),
        "SecondaryIPAddresses": null,
        "SecondaryIPv6Addresses": null,
        "Gateway": gateway,
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "IPAddress": address,
        "IPPrefixLen": prefix,
        "IPv6Gateway": "",
        "MacAddress": "",
        "Networks": networks,
    })
}

/// Published ports by the container's: `80/tcp`.
pub fn ports(published: &[PublishedPort]) -> BTreeMap<String, Vec<Value>> {
    let mut ports: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for port in published {
        let binding = json!({ "HostIp": port.host_ip, "HostPort": port.host_port.to_string() });
        ports.entry(format!("{}/{}", port.container_port, port.protocol)).or_default().push(binding);
    }
    ports
}
