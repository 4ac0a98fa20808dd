//! Makes networks: a row, with subnets that are free now. The bridge is made when the first container is connected.

use super::rows::{self, Network, Range};
use super::{Subnet, bring_up, canonical, host_lock, suggest};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::events::{self, Occurrence};
use crate::model::{Id, NetworkAttachment, NetworkSpec, name};
use crate::store::Store;
use crate::store::rusqlite::Transaction;
use crate::store::scopes::{self, ItemKind};
use std::path::Path;

/// Names that mean something else.
pub const RESERVED: [&str; 4] = ["bridge", "default", "host", "none"];
/// RFC 8200: the smallest that IPv6 works with; and the largest that the kernel takes for a bridge.
const MTUS: std::ops::RangeInclusive<u32> = 576..=bring_up::LARGEST_MTU;
const SMALLEST_WITH_IPV6: u32 = 1280;

/// Makes a network.
///
/// # Errors
/// `conflict` when the name is taken, or a subnet overlaps another network's or a route of the host.
pub fn create(store: &Store, cx: &Context, spec: &NetworkSpec) -> Result<Network> {
    check_name(&spec.name)?;
    let asked = ranges(spec)?;
    let ipv6 = spec.ipv6 || asked.iter().any(|range| !range.subnet.is_ipv4());
    if ipv6 && !Path::new("/proc/sys/net/ipv6").exists() {
        return Err(Error::unsupported("this kernel has no IPv6").hint("leave `ipv6` out"));
    }
    if let Some(mtu) = spec.mtu.filter(|mtu| !MTUS.contains(mtu) || ipv6 && *mtu < SMALLEST_WITH_IPV6) {
        return Err(Error::invalid(format!("`{mtu}` cannot be the `mtu` of this network"))
            .hint("it is a number of bytes from 576, with IPv6 from 1280, to 65535; 1500 is usual"));
    }
    // Choosing among all roots, whose bridges show in the host's routes.
    let _lock = host_lock::hold()?;
    let routes = bring_up::Host::look()?.routes()?;
    let network = Network {
        id: Id::random()?.as_str().to_owned(),
        name: spec.name.clone(),
        bridge: String::new(),
        is_asked: !asked.is_empty(),
        ranges: asked,
        ipv6,
        internal: spec.internal,
        mtu: spec.mtu.unwrap_or(1500),
        own_mtu: spec.mtu,
        labels: spec.labels.clone(),
        created: jiff::Timestamp::now(),
    };
    let ranges = bring_up::ranges(store, &network, &routes)?;
    let network = store.write(|tx| {
        if rows::find(tx, &spec.name)?.is_some() {
            return Err(Error::conflict(format!("there is a network `{}` already", spec.name))
                .hint(format!("use it: `network(\"{}\")`, or take another name", spec.name)));
        }
        let network = Network { bridge: rows::free_bridge(tx, store)?, ranges, ..network };
        rows::insert(tx, &network)?;
        if let Some(scope) = &cx.scope {
            scopes::own(tx, scope, ItemKind::Network, &network.id)?;
        }
        Ok(network)
    })?;
    events::record(store.root(), &[Occurrence::network("create", &network.id, &network.name, "bridge")]);
    Ok(network)
}

/// `host` and `none` cannot be changed.
pub fn refuse_built_in(name: &str) -> Result<()> {
    if matches!(name, "host" | "none") {
        return Err(Error::invalid(format!("the network `{name}` is always there, as it is"))
            .hint("containers get it when they are made: `run(#{ network: … })`"));
    }
    Ok(())
}

fn check_name(text: &str) -> Result<()> {
    if RESERVED.contains(&text) {
        return Err(Error::conflict(format!("the network `{text}` is always there")).hint("take another name"));
    }
    name::check("network", text)
}

/// The subnets that were asked for, each with its gateway.
fn ranges(spec: &NetworkSpec) -> Result<Vec<Range>> {
    let subnets = spec.subnets.iter().map(|text| text.parse()).collect::<Result<Vec<Subnet>>>()?;
    for is_ipv4 in [true, false] {
        if subnets.iter().filter(|subnet| subnet.is_ipv4() == is_ipv4).count() > 1 {
            return Err(Error::unsupported("a network cannot have several subnets of one family")
                .hint("give one of IPv4 and one of IPv6 at most"));
        }
    }
    let gateway = |subnet: Subnet| spec.gateways.iter().copied().find(|ip| ip.is_ipv4() == subnet.is_ipv4());
    for ip in &spec.gateways {
        let Some(subnet) = subnets.iter().find(|subnet| subnet.is_ipv4() == ip.is_ipv4()) else {
            return Err(Error::invalid(format!("the gateway `{ip}` needs a subnet"))
                .hint("give the `subnet` that it is in as well"));
        };
        if !subnet.has(*ip) {
            return Err(Error::invalid(format!("the gateway `{ip}` is not in the subnet `{subnet}`"))
                .hint(format!("leave it out: it is `{}` then", subnet.default_gateway())));
        }
    }
    let range = |subnet: Subnet| Range { subnet, gateway: gateway(subnet).unwrap_or_else(|| subnet.default_gateway()) };
    Ok(subnets.into_iter().map(range).collect())
}

/// Fails when one of the networks that a container is to be connected to is not there.
pub fn ensure_present(tx: &Transaction<'_>, attachments: &[NetworkAttachment]) -> Result<()> {
    for attachment in attachments {
        let name = canonical(&attachment.network);
        if name.contains(':') || RESERVED.contains(&name) || rows::find(tx, name)?.is_some() {
            continue;
        }
        return Err(Error::not_found(format!("there is no network `{name}`"))
            .hint(format!("make it: `create_network(\"{name}\")`")));
    }
    Ok(())
}

/// The same before anything is made, with the nearest name as a hint.
pub fn check_present(store: &Store, attachments: &[NetworkAttachment]) -> Result<()> {
    for attachment in attachments {
        let name = canonical(&attachment.network);
        if !name.contains(':') && !RESERVED.contains(&name) && store.read(|db| rows::find(db, name))?.is_none() {
            return Err(suggest(store, name));
        }
    }
    Ok(())
}
