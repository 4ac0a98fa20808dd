//! Addresses and ports: who gets which, and what happens when there is none.

use super::host::{Host, Root, both, port};
use crate::require;
use crate::support::program;
use shanty::error::ErrorKind;
use shanty::network;
use std::collections::HashSet;
use std::net::{TcpListener, UdpSocket};

#[test]
fn a_taken_port_is_a_conflict_that_names_the_container() {
    require!(program("ip"), program("nft"));
    let host = Host::new();
    let root = Root::new(&host);
    root.name("one", "web");
    let _web = root.container("one", &both("8080:80"));
    let before = host.ns.sh("nft list ruleset");
    for ports in
        [vec![port("8080:80")], vec![port("9000:80"), port("127.0.0.1:8080:81/udp")], vec![port("[::1]:8080:80")]]
    {
        let error = root.allocate("two", &ports).unwrap_err();
        assert!(error.is(ErrorKind::Conflict), "{error:?}");
        assert!(error.message().contains("8080") && error.message().contains("taken by container `web`"), "{error:?}");
        assert_eq!(error.hint_text(), Some("stop `web` or choose another port"));
    }
    // Nothing is left of the attempts.
    assert_eq!(host.ns.sh("nft list ruleset"), before);
    host.ns.run(|| TcpListener::bind("0.0.0.0:9000")).unwrap();
}

#[test]
fn a_taken_port_is_a_conflict_that_names_the_other_root() {
    require!(program("ip"));
    let host = Host::new();
    let (one, two) = (Root::new(&host), Root::new(&host));
    let _web = one.container("web", &[port("8080:80")]);
    let error = two.allocate("web", &[port("8080:80")]).unwrap_err();
    assert!(error.is(ErrorKind::Conflict), "{error:?}");
    assert!(error.message().contains(&format!("another root (`{}`)", one.store.root_id8())), "{error:?}");
}

#[test]
fn a_taken_port_is_a_conflict_that_names_the_process() {
    require!(program("ip"));
    let host = Host::new();
    let root = Root::new(&host);
    let _held = host.ns.run(|| (TcpListener::bind("127.0.0.1:8080").unwrap(), UdpSocket::bind("[::]:8081").unwrap()));
    for taken in ["8080:80", "127.0.0.1:8080:80", "8081:80/udp"] {
        let error = root.allocate("web", &[port(taken)]).unwrap_err();
        assert!(error.is(ErrorKind::Conflict), "{error:?}");
        assert!(error.message().contains(&format!("(pid {})", std::process::id())), "{error:?}");
    }
    // The other protocol is not in the way.
    root.allocate("web", &[port("8081:80")]).unwrap();
}

#[test]
fn ports_that_cannot_be_are_explained() {
    require!(program("ip"));
    let host = Host::new();
    let root = Root::new(&host);
    let error = root.allocate("web", &[port("198.51.100.7:8080:80")]).unwrap_err();
    assert!(error.is(ErrorKind::Invalid) && error.message().contains("198.51.100.7 is no address"), "{error:?}");
    let error = root.allocate("web", &[port("8080:80"), port("8080:81")]).unwrap_err();
    assert!(error.is(ErrorKind::Invalid) && error.message().contains("published twice"), "{error:?}");
    // The very same twice is once.
    assert_eq!(root.allocate("web", &[port("8080:80"), port("8080:80")]).unwrap().plan.ports.len(), 2);
}

#[test]
fn a_port_without_a_number_is_a_free_one_on_both_address_families() {
    require!(program("ip"));
    let host = Host::new();
    let root = Root::new(&host);
    let attachment = root.allocate("web", &[port("80"), port("80")]).unwrap();
    let ports = &attachment.plan.ports;
    assert_eq!(ports.len(), 4);
    assert_eq!(attachment.sockets.len(), 4);
    assert_eq!(ports[0].host_port, ports[1].host_port);
    assert!(ports[0].host_ip.is_ipv4() && ports[1].host_ip.is_ipv6());
    assert_ne!(ports[0].host_port, ports[2].host_port);
    for published in ports {
        let address = (published.host_ip, published.host_port);
        assert!(host.ns.run(|| TcpListener::bind(address)).is_err(), "{published:?} is not held");
    }
}

#[test]
fn a_freed_address_is_not_given_out_at_once() {
    require!(program("ip"));
    let host = Host::new();
    let root = Root::new(&host);
    let mut seen = HashSet::new();
    let _stays = root.allocate("stays", &[]).unwrap();
    for _ in 0..20 {
        let plan = root.allocate("comes and goes", &[]).unwrap().plan;
        root.release("comes and goes");
        assert!(seen.insert((plan.target(), plan.links[0].host_link.clone())), "an address or link came again");
    }
}

#[test]
fn containers_that_start_at_once_get_addresses_of_their_own() {
    require!(program("ip"));
    let host = Host::new();
    let root = Root::new(&host);
    let plans: Vec<_> = std::thread::scope(|scope| {
        let root = &root;
        let starts: Vec<_> =
            (0..8).map(|n| scope.spawn(move || root.allocate(&format!("c{n}"), &[]).unwrap().plan)).collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    assert_eq!(plans.iter().map(shanty::runtime::network::BridgePlan::target).collect::<HashSet<_>>().len(), 8);
    assert_eq!(plans.iter().map(|plan| &plan.links[0].host_link).collect::<HashSet<_>>().len(), 8);
    assert!(plans.iter().all(|plan| plan.links[0].host_link.len() <= 15));
}

#[test]
fn starting_while_another_process_tears_down_always_finds_a_bridge() {
    require!(program("ip"));
    let host = Host::new();
    let root = Root::new(&host);
    let again = shanty::store::Store::open(root.store.root()).unwrap();
    std::thread::scope(|scope| {
        let host = &host;
        let teardown = scope.spawn(move || {
            host.ns.run(|| {
                for _ in 0..20 {
                    network::teardown_if_unused(&again).unwrap();
                }
            });
        });
        for _ in 0..20 {
            root.container("c", &[]).end();
        }
        teardown.join().unwrap();
    });
}

#[test]
fn the_subnet_avoids_the_hosts_routes() {
    require!(program("ip"));
    let host = Host::new();
    let root = Root::new(&host);
    let first = root.container("c", &[]);
    let gateway = first.gateway();
    first.end();
    assert!(root.teardown());
    host.ns.sh(&format!("ip route add {gateway}/32 via 192.0.2.9"));
    let second = root.container("c", &[]);
    assert_ne!(second.gateway(), gateway);
}

#[test]
fn a_sweep_takes_away_what_dead_containers_left() {
    require!(program("ip"), program("nft"));
    let host = Host::new();
    let root = Root::new(&host);
    let (dead, alive) = (root.container("dead", &both("8080:80")), root.container("alive", &both("8081:80")));
    let _server = alive.ns.serve("0.0.0.0", 80);
    // Its monitor was killed: the sockets are closed, the elements are still there.
    drop(dead.sockets);
    host.ns.run(|| network::sweep(&root.store, |id| id == "alive")).unwrap();
    let rules = host.ns.sh("nft list ruleset");
    assert!(rules.contains("8081 : ") && !rules.contains("8080 : "), "{rules}");
    assert!(host.ns.ask("127.0.0.1:8081").is_ok());
    assert!(!root.teardown());
    alive.end();
    assert!(root.teardown());
}

#[test]
fn a_port_whose_container_was_killed_can_be_published_again() {
    require!(program("ip"), program("nft"));
    let host = Host::new();
    let root = Root::new(&host);
    let killed = root.container("killed", &both("8080:80"));
    drop(killed.sockets);
    let next = root.container("next", &both("8080:80"));
    let _server = next.ns.serve("0.0.0.0", 80);
    assert!(host.ns.ask("127.0.0.1:8080").is_ok());
    assert!(host.neighbour.ask_udp("192.0.2.1:8080").is_ok());
}

#[test]
fn a_network_comes_up_while_two_containers_have_one_port_and_one_of_them_was_killed() {
    require!(program("ip"), program("nft"));
    let host = Host::new();
    let root = Root::new(&host);
    let killed = root.container("killed", &[port("8080:80")]);
    drop(killed.sockets);
    let next = root.container("next", &[port("8080:80")]);
    let _server = next.ns.serve("0.0.0.0", 80);
    // The packet filter is made anew for its bridge.
    root.network(shanty::model::NetworkSpec { name: "front".to_owned(), ..Default::default() });
    root.container_in(&["front"], "other", &[]);
    assert!(host.ns.ask("127.0.0.1:8080").is_ok());
}

#[test]
fn a_sweep_leaves_a_port_that_somebody_is_about_to_publish() {
    require!(program("ip"), program("nft"));
    let host = Host::new();
    let root = Root::new(&host);
    let killed = root.container("killed", &[port("8080:80")]);
    drop(killed.sockets);
    root.store.write(|tx| Ok(tx.execute("DELETE FROM addresses", [])?)).unwrap();
    let listed = || host.ns.sh(&format!("nft list table inet shanty-{}", root.store.root_id8()));
    // Its row is there, the port is not led to it yet.
    let next = root.allocate("next", &[port("8080:80")]).unwrap();
    host.ns.run(|| network::sweep(&root.store, |_| true)).unwrap();
    assert!(listed().contains("8080 : "), "whoever replaces it meanwhile would lose it");
    root.release("next");
    drop(next);
    host.ns.run(|| network::sweep(&root.store, |_| true)).unwrap();
    assert!(!listed().contains("8080 : "));
}
