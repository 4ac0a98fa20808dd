//! Gives a container its places in networks, and takes them back.

use super::address::{self, Address};
use super::etc_files::HOST;
use super::rows::{self, Network};
use super::{bring_up, forward_policy, link_prefix, names_dir, ports, sockets, suggest, table};
use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::model::{NetworkAttachment, PortSpec, PublishedPort, short_id};
use crate::privilege::Privilege;
use crate::runtime::network::resolver::{ResolverNetwork, ResolverPlan};
use crate::runtime::network::{BridgePlan, LinkAddress, LinkPlan, NamesPlan, join, way_out, withdraw};
use crate::store::Store;
use crate::store::rusqlite::Transaction;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::OwnedFd;

/// A container that is to be connected.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its name: others find it by that.
    pub name: &'a str,
    /// Its labels: one of them may be the name of a Compose service.
    pub labels: &'a BTreeMap<String, String>,
    /// Name servers to ask instead of the host's.
    pub dns: &'a [IpAddr],
}

/// A container's places in networks.
#[derive(Debug)]
pub struct Attachment {
    /// What the monitor connects it by.
    pub plan: BridgePlan,
    /// A listening (TCP) or bound (UDP) non-blocking socket for each of `plan.ports`, in their order. They
    /// hold the ports: pass them to the monitor, and close them here.
    pub sockets: Vec<OwnedFd>,
}

/// Where Compose writes down which service a container belongs to.
const SERVICE_LABEL: &str = "com.docker.compose.service";
/// Another process changed the networks in between each further round.
const ROUNDS: usize = 10;

/// Gives a container addresses in networks and holds the ports to be published. Makes the bridges and the packet filter
/// when they are missing.
///
/// # Errors
/// `conflict` when a port or an address is taken, which says by whom, or no address is free; `not_found` when there is no
/// such network; `invalid` when the host does not have the address to publish on. Nothing is left behind.
pub fn allocate(
    store: &Store,
    member: Member<'_>,
    attachments: &[NetworkAttachment],
    ports: &[PortSpec],
) -> Result<Attachment> {
    let (ports, sockets): (Vec<_>, Vec<_>) = sockets::hold(store, ports)?.into_iter().unzip();
    let taken = take_addresses(store, member, attachments, &ports, true);
    let linked = taken.and_then(|places| plan(store, member, attachments, &places, ports));
    match linked {
        Ok(plan) => Ok(Attachment { plan, sockets }),
        Err(error) => {
            // The first failure is the one to report.
            let _ = store.write(|tx| address::give_up(tx, member.id));
            Err(error)
        }
    }
}

/// The plan of a running container with one more network.
pub fn extend(
    store: &Store,
    member: Member<'_>,
    plan: &BridgePlan,
    attachment: &NetworkAttachment,
) -> Result<BridgePlan> {
    let attachments = std::slice::from_ref(attachment);
    let places = take_addresses(store, member, attachments, &[], false)?;
    let serial = places[0].1.serial;
    let extended = links(store, member, attachments, &places).and_then(|mut links| {
        let mut extended = plan.clone();
        for link in &mut links {
            link.interface = free_interface(&extended.links);
        }
        extended.links.append(&mut links);
        use_name(member, &mut extended);
        move_ports(store, member.id, plan, &extended)?;
        Ok(BridgePlan { resolver: resolver(member, &extended.links), ..extended })
    });
    if extended.is_err() {
        // The first failure is the one to report.
        let _ = store.write(|tx| address::give_up_serial(tx, serial));
    }
    extended
}

/// The plan of a running container without a network. Its address is to be freed by [`release_network`] once it is
/// disconnected.
pub fn reduce(store: &Store, member: Member<'_>, plan: &BridgePlan, network: &Network) -> Result<BridgePlan> {
    let mut reduced = plan.clone();
    reduced.links.retain(|link| link.network != network.id);
    use_name(member, &mut reduced);
    if !reduced.ports.is_empty() && reduced.way_out().is_none() {
        return Err(Error::conflict(format!(
            "`{}` cannot leave the network `{}`: its published ports lead through it",
            member.name, network.name
        ))
        .hint("connect it to another network that is not internal first"));
    }
    move_ports(store, member.id, plan, &reduced)?;
    Ok(BridgePlan { resolver: resolver(member, &reduced.links), ..reduced })
}

/// Frees a container's address in one network.
pub fn release_network(store: &Store, container: &str, network: &Network) -> Result<()> {
    store.write(|tx| {
        let addresses = address::of(tx, container)?;
        let in_network = addresses.iter().filter(|address| address.network == network.id);
        in_network.into_iter().try_for_each(|address| address::give_up_serial(tx, address.serial))
    })
}

/// Frees what [`allocate`] gave. Succeeds when there is nothing to free.
pub fn release(store: &Store, container: &str) -> Result<()> {
    let addresses = store.read(|db| {
        let addresses = address::of(db, container)?;
        addresses.into_iter().map(|address| Ok((ports::of(db, address.serial)?, address))).collect::<Result<Vec<_>>>()
    })?;
    if addresses.is_empty() {
        return Ok(());
    }
    // The monitor has done this, unless it was killed.
    let mut withdrawn = Ok(());
    for (ports, address) in addresses.iter().filter(|(ports, _)| !ports.is_empty()) {
        let links = vec![link_without_network(address)];
        let plan = BridgePlan { table: table(store), links, ports: ports.clone(), resolver: None };
        withdrawn = withdrawn.and(withdraw(&plan));
    }
    store.write(|tx| address::give_up(tx, container))?;
    withdrawn
}

/// Where published ports lead to.
fn link_without_network(address: &Address) -> LinkPlan {
    LinkPlan {
        network: address.network.clone(),
        network_name: String::new(),
        bridge: String::new(),
        host_link: String::new(),
        interface: String::new(),
        addresses: address.all().map(|ip| LinkAddress { ip, prefix: 0, gateway: ip }).collect(),
        mtu: 0,
        internal: false,
        names: None,
    }
}

type Places = Vec<(Network, Address)>;

/// Takes addresses, and makes sure that the bridges are there.
///
/// The addresses are taken first: from then on nobody tears the bridges down ([`super::teardown_if_unused`]
/// looks at the rows), so a bridge that is there afterwards stays.
fn take_addresses(
    store: &Store,
    member: Member<'_>,
    attachments: &[NetworkAttachment],
    published: &[PublishedPort],
    anew: bool,
) -> Result<Places> {
    // A bridge that is there stays where it is from now on.
    join()?;
    for _ in 0..ROUNDS {
        let networks = attachments.iter().map(|wanted| network(store, wanted)).collect::<Result<Vec<_>>>()?;
        if networks.iter().all(|network| !network.ranges.is_empty()) {
            let addresses = store.write(|tx| {
                // What it had from an earlier run or round, or a command that was killed.
                for network in &networks {
                    give_up_in(tx, member.id, anew, network)?;
                }
                let taken = attachments.iter().zip(&networks);
                let taken = taken.map(|(wanted, network)| address::take(tx, network, member.id, wanted));
                let taken = taken.collect::<Result<Vec<_>>>()?;
                let way_out = networks.iter().position(|network| !network.internal);
                match way_out {
                    Some(way_out) => ports::add(tx, taken[way_out].serial, published)?,
                    None if published.is_empty() => {}
                    None => return Err(no_way_out(&networks)),
                }
                Ok(taken)
            })?;
            // A bridge that was made again meanwhile may have another subnet.
            if are_up(store, &networks)? {
                forward_policy::admit(store)?;
                return Ok(networks.into_iter().zip(addresses).collect());
            }
        }
        bring_up::bring_up(store, &networks)?;
    }
    Err(Error::new(ErrorKind::Busy, "the network keeps changing").hint("try again"))
}

fn give_up_in(tx: &Transaction<'_>, container: &str, all: bool, network: &Network) -> Result<()> {
    if all {
        return address::give_up(tx, container);
    }
    let addresses = address::of(tx, container)?;
    let here = addresses.iter().filter(|address| address.network == network.id);
    here.into_iter().try_for_each(|address| address::give_up_serial(tx, address.serial))
}

fn are_up(store: &Store, networks: &[Network]) -> Result<bool> {
    for network in networks {
        let now = store.read(|db| rows::get(db, &network.id))?;
        if now.is_none_or(|now| now.ranges != network.ranges) || !bring_up::is_up(store, network)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn network(store: &Store, wanted: &NetworkAttachment) -> Result<Network> {
    let name = super::canonical(&wanted.network);
    rows::get_or_default(store, name)?.ok_or_else(|| suggest(store, name))
}

fn no_way_out(networks: &[Network]) -> Error {
    let names: Vec<&str> = networks.iter().map(|network| network.name.as_str()).collect();
    Error::invalid(format!("ports cannot be published: the network `{}` is internal", names.join("`, `")))
        .hint("leave `ports` out, or connect the container to a network that is not internal as well")
}

fn plan(
    store: &Store,
    member: Member<'_>,
    attachments: &[NetworkAttachment],
    places: &Places,
    ports: Vec<PublishedPort>,
) -> Result<BridgePlan> {
    let mut links = links(store, member, attachments, places)?;
    for (number, link) in links.iter_mut().enumerate() {
        link.interface = format!("eth{number}");
    }
    let resolver = resolver(member, &links);
    Ok(BridgePlan { table: table(store), links, ports, resolver })
}

fn links(
    store: &Store,
    member: Member<'_>,
    attachments: &[NetworkAttachment],
    places: &Places,
) -> Result<Vec<LinkPlan>> {
    let link = |(wanted, (network, address)): (&NetworkAttachment, &(Network, Address))| {
        let gateway = |ip: IpAddr| {
            let range = network.range(ip.is_ipv4());
            range.map_or((0, ip), |range| (range.subnet.prefix, range.gateway))
        };
        let addresses = address.all().map(|ip| {
            let (prefix, gateway) = gateway(ip);
            LinkAddress { ip, prefix, gateway }
        });
        Ok(LinkPlan {
            network: network.id.clone(),
            network_name: network.name.clone(),
            bridge: network.bridge.clone(),
            host_link: format!("{}{}", link_prefix(store), address.link_suffix()),
            interface: String::new(),
            addresses: addresses.collect(),
            mtu: network.mtu,
            internal: network.internal,
            names: if network.is_default() { None } else { Some(names(store, member, wanted, network)?) },
        })
    };
    attachments.iter().zip(places).map(link).collect()
}

/// What others find it by: its name, its aliases, its short id, its service.
fn names(store: &Store, member: Member<'_>, wanted: &NetworkAttachment, network: &Network) -> Result<NamesPlan> {
    let dir = names_dir(store);
    std::fs::create_dir_all(&dir).doing(|| format!("cannot make `{}`", dir.display()))?;
    let mut names = vec![member.name.to_owned()];
    let others = wanted.aliases.iter().map(String::as_str).chain([short_id(member.id)]);
    for name in others.chain(member.labels.get(SERVICE_LABEL).map(String::as_str)) {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    Ok(NamesPlan { file: names_file(store, network), container: member.id.to_owned(), names })
}

/// Where the names of a network are.
pub fn names_file(store: &Store, network: &Network) -> std::path::PathBuf {
    names_dir(store).join(format!("{}.json", short_id(&network.id)))
}

/// What a container with these links looks names up in; nothing on the default network alone.
fn resolver(member: Member<'_>, links: &[LinkPlan]) -> Option<ResolverPlan> {
    let named = links.iter().filter_map(|link| {
        let names = link.names.as_ref()?.file.clone();
        Some(ResolverNetwork { name: link.network_name.clone(), names })
    });
    let networks: Vec<_> = named.collect();
    if networks.is_empty() && asks_itself(member) {
        return None;
    }
    Some(ResolverPlan {
        networks,
        servers: member.dns.to_vec(),
        forwards: links.iter().any(|link| !link.internal),
        hosts: host_of(links).map(|ip| (HOST.to_owned(), ip.into())).into_iter().collect(),
    })
}

/// Whether a container on the default network alone asks name servers itself. An ordinary user's container does not reach all
/// that the machine asks; those that were chosen for it may be containers, which only containers reach.
fn asks_itself(member: Member<'_>) -> bool {
    !Privilege::current().is_rootless() || !member.dns.is_empty() && way_out().forwards_datagrams()
}

/// Published ports are looked up by the address that they lead to.
fn move_ports(store: &Store, container: &str, from: &BridgePlan, to: &BridgePlan) -> Result<()> {
    let address = |plan: &BridgePlan| plan.way_out().map(|link| link.network.clone());
    let (Some(old), Some(new)) = (address(from), address(to)) else { return Ok(()) };
    if old == new || to.ports.is_empty() {
        return Ok(());
    }
    store.write(|tx| {
        let addresses = address::of(tx, container)?;
        let serial = |network: &str| addresses.iter().find(|address| address.network == network);
        match (serial(&old), serial(&new)) {
            (Some(old), Some(new)) => ports::move_to(tx, old.serial, new.serial),
            _ => Ok(()),
        }
    })
}

/// It may have been renamed since it was connected.
fn use_name(member: Member<'_>, plan: &mut BridgePlan) {
    for names in plan.links.iter_mut().filter_map(|link| link.names.as_mut()) {
        if let Some(own) = names.names.first_mut() {
            member.name.clone_into(own);
        }
    }
}

fn free_interface(links: &[LinkPlan]) -> String {
    let is_free = |name: &String| links.iter().all(|link| link.interface != *name);
    (0..=links.len()).map(|number| format!("eth{number}")).find(is_free).unwrap_or_default()
}

/// The address of the host that containers of a plan see.
pub fn host_address(plan: &BridgePlan) -> Option<Ipv4Addr> {
    host_of(&plan.links)
}

fn host_of(links: &[LinkPlan]) -> Option<Ipv4Addr> {
    match links.iter().find(|link| !link.internal).or(links.first())?.ipv4()?.gateway {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    }
}
