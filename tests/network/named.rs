//! Networks with names: who reaches whom, over IPv4 and IPv6, and containers in several of them.

use super::host::{Host, NEIGHBOUR, Root, both, member, port};
use crate::require;
use crate::support::{program, wait_until};
use shanty::error::ErrorKind;
use shanty::model::{NetworkAttachment, NetworkSpec};
use shanty::network;
use shanty::runtime::network::change;
use std::os::fd::AsFd;
use std::time::Duration;

fn named(name: &str) -> NetworkSpec {
    NetworkSpec { name: name.to_owned(), ..NetworkSpec::default() }
}

#[test]
fn containers_of_one_network_reach_each_other_and_those_of_others_do_not() {
    require!(program("ip"), program("nft"));
    let host = Host::new();
    let root = Root::new(&host);
    for name in ["front", "back"] {
        root.network(NetworkSpec { ipv6: true, ..named(name) });
    }
    let web = root.container_in(&["front"], "web", &[port("8080:80")]);
    let peer = root.container_in(&["front"], "peer", &[]);
    let other = root.container_in(&["back"], "other", &[]);
    let lonely = root.container("lonely", &[]);
    let _servers = [web.ns.serve("0.0.0.0", 80), web.ns.serve("::", 81)];

    assert_eq!(peer.ns.ask(&web.at(80)).unwrap(), peer.ip());
    assert_eq!(peer.ns.ask_udp(&format!("[{}]:81", web.ip6())).unwrap(), peer.ip6());
    for stranger in [&other, &lonely] {
        // As if it were on its own link, too: a container may change its routes.
        stranger.ns.sh(&format!("ip route add {}/32 via {}", web.ip(), stranger.gateway()));
        assert!(stranger.ns.cannot_reach(&web.at(80)), "{}", stranger.id);
        assert!(stranger.ns.cannot_reach(&format!("[{}]:81", web.ip6())), "{}", stranger.id);
        // What is published is for everybody, by the host's address.
        assert_eq!(stranger.ns.ask("192.0.2.1:8080").unwrap(), web.gateway(), "{}", stranger.id);
    }
    assert_eq!(peer.ns.ask("192.0.2.1:8080").unwrap(), web.gateway());

    host.ns.sh(&format!("nft flush chain inet {} raw_prerouting", web.table()));
    assert!(other.ns.cannot_reach(&web.at(80)), "the other rule stops it alone");
    host.ns.sh(&format!("nft flush chain inet {} {}", web.table(), web.bridge()));
    host.ns.sh(&format!("nft flush chain inet {} forward", web.table()));
    assert!(other.ns.ask(&web.at(80)).is_ok(), "the attack itself has to work");
}

#[test]
fn a_published_port_keeps_the_clients_address_over_ipv6_too() {
    require!(program("ip"), program("nft"));
    let host = Host::new();
    host.ns.sh("ip address add 2001:db8::1/64 dev up0 nodad");
    host.neighbour.sh("ip address add 2001:db8::9/64 dev eth0 nodad");
    let root = Root::new(&host);
    root.network(NetworkSpec { ipv6: true, ..named("front") });
    let web = root.container_in(&["front"], "web", &both("8080:80"));
    let _server = web.ns.serve("::", 80);
    for (published, seen) in [("192.0.2.1:8080", NEIGHBOUR), ("[2001:db8::1]:8080", "2001:db8::9")] {
        let seen: std::net::IpAddr = seen.parse().unwrap();
        let tcp = host.neighbour.ask(published).unwrap();
        // The server listens on `::`, and says so of IPv4 clients.
        assert_eq!(tcp.to_canonical(), seen, "{published}");
        assert_eq!(host.neighbour.ask_udp(published).unwrap().to_canonical(), seen, "{published}");
    }
    // By the host itself, over its own address.
    assert!(host.ns.ask("[2001:db8::1]:8080").is_ok());
    // Other machines reach nothing else, not even with a route.
    host.neighbour.sh(&format!("ip -6 route add {} via 2001:db8::1", web.ip6()));
    let _unpublished = web.ns.serve("::", 81);
    assert!(host.neighbour.cannot_reach(&format!("[{}]:81", web.ip6())));
    host.ns.sh("nft flush ruleset");
    host.ns.sh("sysctl -q -w net.ipv6.conf.all.forwarding=1");
    assert!(host.neighbour.ask(&format!("[{}]:81", web.ip6())).is_ok(), "the attack itself has to work");
}

#[test]
fn nothing_leads_out_of_an_internal_network() {
    require!(program("ip"), program("nft"));
    let host = Host::new();
    let root = Root::new(&host);
    root.network(NetworkSpec { internal: true, ..named("vault") });
    let inside = root.container_in(&["vault"], "inside", &[]);
    let peer = root.container_in(&["vault"], "peer", &[]);
    let web = root.container("web", &[port("8080:80")]);
    let _servers = [peer.ns.serve("0.0.0.0", 80), web.ns.serve("0.0.0.0", 80), host.neighbour.serve(NEIGHBOUR, 9000)];
    assert_eq!(inside.ns.ask(&peer.at(80)).unwrap(), inside.ip());
    assert!(!inside.ns.sh("ip route").contains("default"));

    // Even with a route of its own.
    inside.ns.sh(&format!("ip route add default via {}", inside.gateway()));
    for elsewhere in [format!("{NEIGHBOUR}:9000"), "192.0.2.1:8080".to_owned(), web.at(80)] {
        assert!(inside.ns.cannot_reach(&elsewhere), "{elsewhere}");
    }
    assert!(web.ns.cannot_reach(&peer.at(80)));
    assert!(web.ns.ask(&format!("{NEIGHBOUR}:9000")).is_ok(), "others go out");

    let error = root.allocate_in(&["vault"], "server", &[port("8081:80")]).unwrap_err();
    assert!(error.is(ErrorKind::Invalid) && error.message().contains("internal"), "{error:?}");

    host.ns.sh(&format!("nft flush chain inet {} raw_prerouting", web.table()));
    assert!(inside.ns.cannot_reach(&format!("{NEIGHBOUR}:9000")), "the other rule stops it alone");
    host.ns.sh(&format!("nft flush chain inet {} forward", web.table()));
    host.neighbour.sh(&format!("ip route add {} via 192.0.2.1", inside.ip()));
    assert!(inside.ns.ask(&format!("{NEIGHBOUR}:9000")).is_ok(), "the attack itself has to work");
}

#[test]
fn a_container_can_be_in_several_networks_and_go_on_without_one() {
    require!(program("ip"), program("nft"));
    let host = Host::new();
    let root = Root::new(&host);
    let networks: Vec<_> = ["front", "back", "third"].map(named).into_iter().map(|spec| root.network(spec)).collect();
    let mut web = root.container_in(&["front", "back"], "web", &both("8080:80"));
    let back = root.container_in(&["back"], "back", &[]);
    let third = root.container_in(&["third"], "third", &[]);
    let server = web.ns.serve("0.0.0.0", 80);
    assert_eq!(back.ns.ask(&format!("{}:80", web.ip_in(1))).unwrap(), back.ip());
    assert!(third.ns.cannot_reach(&format!("{}:80", web.ip_in(1))));
    assert!(web.ns.sh("ip route").contains(&format!("default via {} dev eth0", web.gateway())));

    // One more.
    let wanted = NetworkAttachment::to("third");
    let with_third = host.ns.run(|| network::extend(&root.store, member("web"), &web.plan, &wanted)).unwrap();
    host.ns.run(|| change(&web.plan, &with_third, web.ns.as_fd())).unwrap();
    web.plan = with_third;
    assert_eq!(third.ns.ask(&format!("{}:80", web.ip_in(2))).unwrap(), third.ip());
    assert_eq!(web.plan.links[2].interface, "eth2");

    // Without the one that led out: the way out and the published ports move.
    let reduced = host.ns.run(|| network::reduce(&root.store, member("web"), &web.plan, &networks[0])).unwrap();
    host.ns.run(|| change(&web.plan, &reduced, web.ns.as_fd())).unwrap();
    host.ns.run(|| network::release_network(&root.store, "web", &networks[0])).unwrap();
    web.plan = reduced;
    let links = web.ns.sh("ip -oneline link");
    assert!(!links.contains("eth0") && links.contains("eth1") && links.contains("eth2"), "{links}");
    assert!(web.ns.sh("ip route").contains(&format!("default via {} dev eth1", web.gateway())));
    assert_eq!(host.neighbour.ask("192.0.2.1:8080").unwrap(), NEIGHBOUR.parse::<std::net::IpAddr>().unwrap());
    assert_eq!(host.neighbour.ask_udp("192.0.2.1:8080").unwrap(), NEIGHBOUR.parse::<std::net::IpAddr>().unwrap());
    // The packet filter is made anew when the first network, now without anybody, is removed; nothing is lost of it.
    assert!(!root.teardown());
    assert!(host.neighbour.ask("192.0.2.1:8080").is_ok());

    for network in &networks[1..] {
        let error = network::reduce(&root.store, member("web"), &web.plan, network);
        let left = error.map(|plan| plan.links.len());
        assert_eq!(left.unwrap(), 1, "one is enough");
    }
    drop(server);
    for container in [web, back, third] {
        container.end();
    }
    assert!(root.teardown());
    wait_until(Duration::from_secs(10), || host.leftovers().is_empty());
}

#[test]
fn subnets_are_chosen_apart_and_asked_ones_are_refused_where_they_clash() {
    require!(program("ip"));
    let host = Host::new();
    let root = Root::new(&host);
    let asked = |name: &str, subnet: &str| NetworkSpec { subnets: vec![subnet.to_owned()], ..named(name) };
    let first = root.network(asked("first", "10.77.0.0/24"));
    assert_eq!(network::info(&root.store, first.clone()).unwrap().gateways, ["10.77.0.1"]);
    let create = |spec: &NetworkSpec| {
        host.ns.run(|| network::create(&root.store, &shanty::context::Context::background(), spec))
    };
    for (spec, kind, words) in [
        (
            asked("second", "10.77.0.128/25"),
            ErrorKind::Conflict,
            "overlaps the subnet `10.77.0.0/24` of another network",
        ),
        (asked("second", "192.0.2.0/25"), ErrorKind::Conflict, "overlaps the route `192.0.2.0/24` of this host"),
        (asked("second", "10.78.0.1/24"), ErrorKind::Invalid, "does not begin"),
        (asked("first", "10.78.0.0/24"), ErrorKind::Conflict, "there is a network `first` already"),
        (named("host"), ErrorKind::Conflict, "always there"),
        (named("-x"), ErrorKind::Invalid, "is not a name"),
        (
            NetworkSpec { gateways: vec!["10.79.0.1".parse().unwrap()], ..asked("second", "10.78.0.0/24") },
            ErrorKind::Invalid,
            "is not in the subnet",
        ),
    ] {
        let error = create(&spec).map(drop).unwrap_err();
        assert!(error.is(kind) && error.message().contains(words) && error.hint_text().is_some(), "{error:?}");
    }
    let fixed = |ip: &str| {
        let wanted = NetworkAttachment { ip: Some(ip.parse().unwrap()), ..NetworkAttachment::to("first") };
        host.ns.run(|| network::allocate(&root.store, member(ip), &[wanted], &[])).map(|given| given.plan.target())
    };
    assert_eq!(fixed("10.77.0.9").unwrap(), Some("10.77.0.9".parse().unwrap()));
    for (ip, kind) in [
        ("10.77.0.9", ErrorKind::Conflict),
        ("10.77.0.1", ErrorKind::Conflict),
        ("10.77.0.255", ErrorKind::Invalid),
        ("10.78.0.9", ErrorKind::Invalid),
    ] {
        // Somebody else asks for it.
        let wanted = NetworkAttachment { ip: Some(ip.parse().unwrap()), ..NetworkAttachment::to("first") };
        let error = host.ns.run(|| network::allocate(&root.store, member("late"), &[wanted], &[])).map(drop);
        assert!(error.unwrap_err().is(kind), "{ip}");
    }
    let other_root = Root::new(&host);
    for number in 0..20 {
        other_root.network(named(&format!("n{number}")));
    }
}

#[test]
fn a_bridge_whose_network_was_removed_by_a_killed_process_is_swept() {
    require!(program("ip"), program("nft"));
    let host = Host::new();
    let root = Root::new(&host);
    let front = root.network(named("front"));
    let web = root.container_in(&["front"], "web", &[]);
    let bridge = web.bridge().to_owned();
    web.end();
    // As far as a removal comes before it is killed.
    root.store.write(|tx| Ok(tx.execute("DELETE FROM networks WHERE id = ?1", [&front.id])?)).unwrap();
    assert!(host.leftovers().contains(&bridge));
    assert!(root.teardown());
    wait_until(Duration::from_secs(10), || host.leftovers().is_empty());
}
