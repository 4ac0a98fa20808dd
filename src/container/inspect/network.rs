//! `NetworkSettings`: how it is connected.

use crate::container::connect::attachments;
use crate::container::row::Row;
use crate::model::{ContainerInfo, NetworkAttachment, PublishedPort, short_id};
use crate::privilege::Privilege;
use crate::runtime::network::{LinkAddress, LinkPlan, NetworkPlan, mac_address};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Of a container that does not run, names without addresses.
pub fn network(row: &Row, info: &ContainerInfo) -> Value {
    let plan = row.plan.network.bridge().filter(|_| info.status.is_alive());
    let mut networks = Map::new();
    for wanted in attachments(&row.spec.networks) {
        // Of a network that is another container's, Docker shows nothing either.
        if !wanted.network.starts_with("container:") {
            let name = crate::network::canonical(&wanted.network);
            let link = plan.and_then(|plan| plan.links.iter().find(|link| link.network_name == name));
            networks.insert(name.to_owned(), endpoint(&wanted, link, row.id.as_str()));
        }
    }
    // Docker shows the addresses of the default network here, and none of others.
    let default = plan.and_then(|plan| plan.links.iter().find(|link| link.network_name == crate::network::DEFAULT));
    let (ip, prefix, gateway) = parts(default.and_then(LinkPlan::ipv4));
    json!({
        "Bridge": "",
        "SandboxKey": info.pid.map(|pid| format!("/proc/{pid}/ns/net")).unwrap_or_default(),
        "HairpinMode": false,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "Ports": ports(&info.ports),
        "PortForwarding": forwarding(row),
        "SecondaryIPAddresses": null,
        "SecondaryIPv6Addresses": null,
        "Gateway": gateway,
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "IPAddress": ip,
        "IPPrefixLen": prefix,
        "IPv6Gateway": "",
        "MacAddress": "",
        "Networks": networks,
    })
}

/// Not one of Docker's keys: how published ports are led to the container, `nftables` or `proxy`.
fn forwarding(row: &Row) -> Option<&'static str> {
    match &row.plan.network {
        NetworkPlan::Bridge(plan) if plan.ports.is_empty() => None,
        // The filter of an ordinary user's networks sees nothing of what comes to the machine.
        NetworkPlan::Bridge(_) if Privilege::current().is_rootless() => Some("proxy"),
        NetworkPlan::Bridge(plan) => Some(if plan.table.is_some() { "nftables" } else { "proxy" }),
        _ => None,
    }
}

fn endpoint(wanted: &NetworkAttachment, link: Option<&LinkPlan>, id: &str) -> Value {
    let (ip, prefix, gateway) = parts(link.and_then(LinkPlan::ipv4));
    let (ip6, prefix6, gateway6) = parts(link.and_then(LinkPlan::ipv6));
    let is_named = link.is_some_and(|link| link.names.is_some());
    let aliases: Vec<&str> = wanted.aliases.iter().map(String::as_str).chain([short_id(id)]).collect();
    let ipam = (wanted.ip.is_some() || wanted.ip6.is_some())
        .then(|| json!({ "IPv4Address": wanted.ip, "IPv6Address": wanted.ip6 }));
    json!({
        "IPAMConfig": ipam,
        "Links": null,
        "Aliases": (is_named || !wanted.aliases.is_empty()).then_some(aliases),
        "NetworkID": link.map(|link| link.network.as_str()).unwrap_or_default(),
        "EndpointID": link.map(|link| link.host_link.as_str()).unwrap_or_default(),
        "Gateway": gateway,
        "IPAddress": ip,
        "IPPrefixLen": prefix,
        "IPv6Gateway": gateway6,
        "GlobalIPv6Address": ip6,
        "GlobalIPv6PrefixLen": prefix6,
        "MacAddress": link.and_then(LinkPlan::ipv4).map(|address| mac_address(address.ip)).unwrap_or_default(),
        "DriverOpts": null,
        "DNSNames": link.and_then(|link| link.names.as_ref()).map(|names| &names.names),
    })
}

fn parts(address: Option<&LinkAddress>) -> (String, u8, String) {
    address.map_or((String::new(), 0, String::new()), |address| {
        (address.ip.to_string(), address.prefix, address.gateway.to_string())
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
