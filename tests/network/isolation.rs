//! What must not get through: each attack is sent for real, and also shown to work without the rules that
//! stop it.

use super::host::{Host, Root, port};
use crate::require;
use crate::support::{Netns, program};

/// Makes a machine send packets to 127.0.0.1 over its link instead of to itself.
fn send_loopback_by(ns: &Netns, gateway: &str) {
    ns.sh(&format!(
        "echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet
         echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter
         ip address flush dev lo
         ip route add 127.0.0.1/32 via {gateway} dev eth0"
    ));
}

#[test]
fn a_container_cannot_reach_the_hosts_loopback() {
    require!(program("ip"), program("nft"));
    let host = Host::new();
    let root = Root::new(&host);
    let container = root.container("c", &[]);
    let _secret = host.ns.serve("127.0.0.1", 7777);
    send_loopback_by(&container.ns, &container.gateway().to_string());
    assert!(container.ns.cannot_reach("127.0.0.1:7777"));

    host.ns.sh(&format!("nft flush chain inet {} raw_prerouting", container.table()));
    assert!(container.ns.ask("127.0.0.1:7777").is_ok(), "the attack itself has to work");
}

#[test]
fn a_container_cannot_pretend_to_be_the_hosts_loopback() {
    require!(program("ip"), program("nft"));
    let host = Host::new();
    let root = Root::new(&host);
    let container = root.container("c", &[]);
    let gateway = container.gateway();
    // The host does not answer ARP from such an address, so its hardware address is learnt before.
    assert!(container.ns.cannot_reach(&format!("{gateway}:9")));
    container.ns.sh(&format!(
        "echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet
         ip route add {gateway}/32 dev eth0 src 127.0.0.1"
    ));
    // The host counts what arrives from 127.0.0.1 after our rules.
    host.ns.sh(&format!(
        "nft 'add table ip t; add chain ip t i {{ type filter hook prerouting priority 0; }}; \
         add rule ip t i iifname {} ip saddr 127.0.0.1 counter'",
        container.bridge()
    ));
    let arrived = || !host.ns.sh("nft list table ip t").contains("packets 0 ");
    assert!(container.ns.cannot_reach(&format!("{gateway}:9")));
    assert!(!arrived());

    host.ns.sh(&format!("nft flush chain inet {} raw_prerouting", container.table()));
    assert!(container.ns.cannot_reach(&format!("{gateway}:9")));
    assert!(arrived(), "the attack itself has to work");
}

#[test]
fn a_neighbour_cannot_reach_a_port_that_is_not_published() {
    require!(program("ip"), program("nft"));
    let host = Host::new();
    let root = Root::new(&host);
    let container = root.container("c", &[port("8080:80")]);
    let _servers = [container.ns.serve("0.0.0.0", 80), container.ns.serve("0.0.0.0", 81)];
    host.neighbour.sh(&format!("ip route add {} via 192.0.2.1", container.ip()));
    for port in [80, 81] {
        assert!(host.neighbour.cannot_reach(&container.at(port)), "{port}");
    }

    let table = container.table();
    // Each of the two rules stops it alone.
    host.ns.sh(&format!("nft flush chain inet {table} raw_prerouting"));
    assert!(host.neighbour.cannot_reach(&container.at(81)));
    host.ns.sh(&format!("nft flush chain inet {table} forward"));
    assert!(host.neighbour.ask(&container.at(81)).is_ok(), "the attack itself has to work");
}

#[test]
fn a_neighbour_cannot_reach_a_port_that_is_published_on_loopback() {
    require!(program("ip"), program("nft"));
    let host = Host::new();
    let root = Root::new(&host);
    let container = root.container("c", &[port("127.0.0.1:8080:80")]);
    let _server = container.ns.serve("0.0.0.0", 80);
    send_loopback_by(&host.neighbour, "192.0.2.1");
    assert!(host.neighbour.cannot_reach("127.0.0.1:8080"));

    host.ns.sh(&format!("nft flush chain inet {} raw_prerouting", container.table()));
    assert!(host.neighbour.ask("127.0.0.1:8080").is_ok(), "the attack itself has to work");
}

#[test]
fn containers_of_two_roots_do_not_see_each_other() {
    require!(program("ip"));
    let host = Host::new();
    let (one, two) = (Root::new(&host), Root::new(&host));
    let (server, client) = (one.container("server", &[port("8080:80")]), two.container("client", &[]));
    assert_ne!(server.gateway(), client.gateway());
    let _servers = [server.ns.serve("0.0.0.0", 80), server.ns.serve("0.0.0.0", 81)];
    assert!(client.ns.cannot_reach(&server.at(80)));
    assert!(client.ns.cannot_reach(&server.at(81)));
    assert!(client.ns.ask("192.0.2.1:8080").is_ok(), "published is for everybody");
}

#[test]
fn a_host_that_forwards_nothing_lets_containers_through_and_gets_its_rules_back() {
    require!(program("ip"), program("iptables-nft"), program("nft"));
    for docker in [true, false] {
        let host = Host::new();
        host.ns.sh("iptables-nft -P FORWARD DROP");
        if docker {
            host.ns.sh("iptables-nft -N DOCKER-USER; iptables-nft -A DOCKER-USER -j RETURN; iptables-nft -I FORWARD -j DOCKER-USER");
        }
        let before = host.ns.sh("iptables-nft -S");
        let root = Root::new(&host);
        let container = root.container("c", &[port("8080:80")]);
        let _servers = [container.ns.serve("0.0.0.0", 80), host.neighbour.serve("0.0.0.0", 80)];
        assert!(container.ns.ask("192.0.2.9:80").is_ok(), "docker: {docker}");
        assert!(host.neighbour.ask("192.0.2.1:8080").is_ok(), "docker: {docker}");
        // `iptables` still understands the table, and our rules are there once.
        let _another = root.container("another", &[]);
        let rules = host.ns.sh("iptables-nft -S");
        let accepted = format!("-o sh{}+", root.store.root_id8());
        assert_eq!(rules.matches(&accepted).count(), 1, "{rules}");

        container.end();
        root.release("another");
        assert!(root.teardown());
        assert_eq!(host.ns.sh("iptables-nft -S"), before);
    }
}

#[test]
fn containers_do_not_get_into_dockers_networks_by_our_rules() {
    require!(program("ip"), program("iptables-nft"));
    let host = Host::new();
    let theirs = Netns::new();
    host.ns.sh(&format!(
        "iptables-nft -P FORWARD DROP; iptables-nft -N DOCKER-USER; iptables-nft -I FORWARD -j DOCKER-USER
         ip link add docker0 type bridge; ip address add 172.17.0.1/16 dev docker0; ip link set docker0 up
         ip link add v0 master docker0 up type veth peer name eth0 netns {}",
        theirs.path()
    ));
    theirs.sh("ip address add 172.17.0.2/16 dev eth0; ip link set eth0 up; ip route add default via 172.17.0.1");
    let _server = theirs.serve("0.0.0.0", 80);
    let root = Root::new(&host);
    let container = root.container("c", &[]);
    assert!(host.ns.ask("172.17.0.2:80").is_ok());
    assert!(container.ns.cannot_reach("172.17.0.2:80"));
    host.ns.sh("iptables-nft -P FORWARD ACCEPT");
    assert!(container.ns.ask("172.17.0.2:80").is_ok(), "it was the policy that stopped it");
}
