//! A host with a root, a neighbour on its wire, and containers that are nothing but namespaces.

use crate::support::Netns;
use shanty::context::Context;
use shanty::error::Result;
use shanty::model::{NetworkAttachment, NetworkSpec, PortSpec, Protocol};
use shanty::network::{self, Attachment, Member};
use shanty::runtime::network::{BridgePlan, NetworkPlan, attach, detach};
use shanty::store::Store;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use tempfile::TempDir;

/// The host's address on the wire.
pub const HOST: &str = "192.0.2.1";
/// The neighbour's.
pub const NEIGHBOUR: &str = "192.0.2.9";

/// Two machines on a wire. The neighbour is the host's default gateway.
pub struct Host {
    pub ns: Netns,
    pub neighbour: Netns,
}

impl Host {
    pub fn new() -> Self {
        let (ns, neighbour) = (Netns::new(), Netns::new());
        ns.sh(&format!(
            "ip link set lo up
             ip link add up0 mtu 1400 type veth peer name eth0 mtu 1400 netns {}
             ip address add {HOST}/24 dev up0
             ip link set up0 up
             ip route add default via {NEIGHBOUR}",
            neighbour.path()
        ));
        neighbour.sh(&format!(
            "ip link set lo up
             ip address add {NEIGHBOUR}/24 dev eth0
             ip link set eth0 up"
        ));
        Self { ns, neighbour }
    }

    /// What is in its packet filter and which links it has, beside what it started with.
    pub fn leftovers(&self) -> String {
        self.ns.sh("nft list ruleset; ip -oneline link | grep -v -e ' lo: ' -e ' up0@' || true")
    }
}

/// A root on the host.
pub struct Root<'a> {
    pub host: &'a Host,
    pub store: Store,
    _folder: TempDir,
}

impl<'a> Root<'a> {
    pub fn new(host: &'a Host) -> Self {
        let folder = TempDir::with_prefix("shanty-network-").unwrap();
        let store = Store::open(folder.path()).unwrap();
        Self { host, store, _folder: folder }
    }

    /// Gives a container its place, on the host's side.
    pub fn allocate(&self, id: &str, ports: &[PortSpec]) -> Result<Attachment> {
        self.allocate_in(&["bridge"], id, ports)
    }

    /// The same in networks.
    pub fn allocate_in(&self, networks: &[&str], id: &str, ports: &[PortSpec]) -> Result<Attachment> {
        let attachments: Vec<_> = networks.iter().map(|name| NetworkAttachment::to(*name)).collect();
        self.host.ns.run(|| network::allocate(&self.store, member(id), &attachments, ports))
    }

    /// Makes a network.
    pub fn network(&self, spec: NetworkSpec) -> network::Network {
        self.host.ns.run(|| network::create(&self.store, &Context::background(), &spec)).unwrap()
    }

    /// A container that is connected.
    pub fn container(&self, id: &str, ports: &[PortSpec]) -> Container<'_> {
        self.container_in(&["bridge"], id, ports)
    }

    /// One that is connected to networks.
    pub fn container_in(&self, networks: &[&str], id: &str, ports: &[PortSpec]) -> Container<'_> {
        let Attachment { plan, sockets } = self.allocate_in(networks, id, ports).unwrap();
        let ns = Netns::new();
        self.host.ns.run(|| attach(&NetworkPlan::Bridge(plan.clone()), ns.as_fd())).unwrap();
        Container { root: self, id: id.to_owned(), ns, plan, sockets }
    }

    /// A row that gives the container a name.
    pub fn name(&self, id: &str, name: &str) {
        let insert = "INSERT INTO containers (id, name, image, image_id, spec, plan, created, status)
                      VALUES (?1, ?2, 'x', 'x', '{}', '{}', 0, 'running')";
        self.store.write(|tx| Ok(tx.execute(insert, [id, name])?)).unwrap();
    }

    pub fn release(&self, id: &str) {
        self.host.ns.run(|| network::release(&self.store, id)).unwrap();
    }

    pub fn teardown(&self) -> bool {
        self.host.ns.run(|| network::teardown_if_unused(&self.store)).unwrap()
    }
}

impl Drop for Root<'_> {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(self.store.run_dir()));
    }
}

/// A connected namespace.
pub struct Container<'a> {
    root: &'a Root<'a>,
    pub id: String,
    pub ns: Netns,
    pub plan: BridgePlan,
    pub sockets: Vec<OwnedFd>,
}

impl Container<'_> {
    /// Its address and a port.
    pub fn at(&self, port: u16) -> String {
        format!("{}:{port}", self.ip())
    }

    /// Its address in its first network.
    pub fn ip(&self) -> IpAddr {
        self.ip_in(0)
    }

    /// Its address in one of its networks.
    pub fn ip_in(&self, network: usize) -> IpAddr {
        self.plan.links[network].addresses[0].ip
    }

    /// Its IPv6 address in its first network.
    pub fn ip6(&self) -> IpAddr {
        self.plan.links[0].ipv6().unwrap().ip
    }

    pub fn bridge(&self) -> &str {
        &self.plan.links[0].bridge
    }

    pub fn table(&self) -> &str {
        self.plan.table.as_deref().unwrap()
    }

    pub fn gateway(&self) -> IpAddr {
        self.plan.links[0].addresses[0].gateway
    }

    /// What the monitor and then `container/` do at its end.
    pub fn end(self) {
        self.root.host.ns.run(|| detach(&NetworkPlan::Bridge(self.plan.clone()))).unwrap();
        self.root.release(&self.id);
    }
}

/// What networks know of a container.
pub fn member(id: &str) -> Member<'_> {
    static NONE: BTreeMap<String, String> = BTreeMap::new();
    Member { id, name: id, labels: &NONE, dns: &[] }
}

/// A port to publish: `8080:80`, `127.0.0.1:53:53/udp`.
pub fn port(text: &str) -> PortSpec {
    let mut ports = PortSpec::parse(text).unwrap();
    assert_eq!(ports.len(), 1, "{text}");
    ports.remove(0)
}

/// The same port over TCP and UDP.
pub fn both(text: &str) -> Vec<PortSpec> {
    let tcp = port(text);
    let udp = PortSpec { protocol: Protocol::Udp, ..tcp.clone() };
    vec![tcp, udp]
}
