//! Published ports, and what containers reach.

use super::host::{HOST, Host, NEIGHBOUR, Root, both, port};
use crate::require;
use crate::support::{Netns, program, wait_until};
use shanty::model::{PortSpec, Protocol};
use shanty::runtime::network::{NetworkPlan, attach, proxy};
use std::net::{IpAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn a_published_port_is_reached_from_everywhere() {
    require!(program("ip"));
    let host = Host::new();
    let root = Root::new(&host);
    let web = root.container("web", &both("8080:80"));
    let other = root.container("other", &[]);
    let _server = web.ns.serve("0.0.0.0", 80);

    // From outside the client's address is kept; the host has its address on the bridge.
    let from = [
        (&host.neighbour, HOST, ip(NEIGHBOUR)),
        (&host.ns, "127.0.0.1", web.gateway()),
        (&host.ns, HOST, ip(HOST)),
        (&other.ns, HOST, other.gateway()),
        (&web.ns, HOST, web.gateway()),
        (&other.ns, &other.gateway().to_string(), other.gateway()),
    ];
    for (client, address, seen) in from {
        let published = format!("{address}:8080");
        assert_eq!(client.ask(&published).ok(), Some(seen), "tcp {published} {address}");
        assert_eq!(client.ask_udp(&published).ok(), Some(seen), "udp {published}");
    }
    // Without the way over the host, containers see each other.
    assert_eq!(other.ns.ask(&web.at(80)).unwrap(), other.ip());
}

#[test]
fn a_port_that_is_published_on_one_address_is_on_no_other() {
    require!(program("ip"));
    let host = Host::new();
    let root = Root::new(&host);
    let web = root.container("web", &[port("127.0.0.1:8080:80"), port("192.0.2.1:8081:81")]);
    let _servers = [web.ns.serve("0.0.0.0", 80), web.ns.serve("0.0.0.0", 81)];
    assert!(host.ns.ask("127.0.0.1:8080").is_ok());
    assert!(host.ns.cannot_reach("192.0.2.1:8080"));
    assert!(host.neighbour.cannot_reach("192.0.2.1:8080"));
    assert!(host.neighbour.ask("192.0.2.1:8081").is_ok());
    assert!(host.ns.cannot_reach("127.0.0.1:8081"));
}

#[test]
fn ipv6_loopback_is_served_by_the_proxy() {
    require!(program("ip"));
    let host = Host::new();
    let root = Root::new(&host);
    let web = root.container("web", &both("8080:80"));
    let _server = web.ns.serve("0.0.0.0", 80);
    let sockets: Vec<_> = web.sockets.iter().map(AsFd::as_fd).collect();
    std::thread::scope(|scope| {
        let proxy = scope.spawn(|| {
            host.ns.run(|| {
                proxy::serve(&[web.ip()], &web.plan.ports, &sockets, false).unwrap_err();
            });
        });
        assert_eq!(host.ns.ask("[::1]:8080").unwrap(), web.gateway());
        assert_eq!(host.ns.ask_udp("[::1]:8080").unwrap(), web.gateway());
        for socket in &web.sockets {
            // Wakes its thread, for UDP in spite of ENOTCONN.
            let _ = nix::sys::socket::shutdown(socket.as_raw_fd(), nix::sys::socket::Shutdown::Both);
        }
        proxy.join().unwrap();
    });
}

#[test]
fn a_container_reaches_the_outside_with_the_hosts_address() {
    require!(program("ip"));
    let host = Host::new();
    let root = Root::new(&host);
    let container = root.container("c", &[]);
    let _server = host.neighbour.serve("0.0.0.0", 80);
    assert_eq!(container.ns.ask("192.0.2.9:80").unwrap(), ip(HOST));
    assert_eq!(container.ns.ask_udp("192.0.2.9:80").unwrap(), ip(HOST));
}

#[test]
fn a_containers_packets_are_no_larger_than_the_hosts_route_takes() {
    require!(program("ip"));
    let host = Host::new();
    let root = Root::new(&host);
    let container = root.container("c", &[]);
    assert!(container.ns.sh("ip link show eth0").contains("mtu 1400"));
    assert!(host.ns.sh(&format!("ip link show {}", container.bridge())).contains("mtu 1400"));
}

#[test]
fn a_container_gets_the_planned_address_and_no_ipv6_one() {
    require!(program("ip"));
    let host = Host::new();
    let root = Root::new(&host);
    let container = root.container("c", &[]);
    let addresses = container.ns.sh("ip -oneline address show dev eth0");
    assert!(
        addresses.contains(&format!("inet {}/{}", container.ip(), container.plan.links[0].addresses[0].prefix)),
        "{addresses}"
    );
    assert!(!addresses.contains("inet6"), "{addresses}");
    let IpAddr::V4(ip) = container.ip() else { panic!("no IPv4") };
    let [a, b, c, d] = ip.octets();
    assert!(container.ns.sh("ip link show eth0").contains(&format!("02:42:{a:02x}:{b:02x}:{c:02x}:{d:02x}")));
    assert!(container.ns.sh("ip route").contains(&format!("default via {}", container.gateway())));
    assert!(container.ns.sh("ip -oneline address show dev lo").contains("127.0.0.1/8"));
}

#[test]
fn without_a_network_there_is_loopback_alone() {
    require!(program("ip"));
    let ns = Netns::new();
    Netns::new().run(|| attach(&NetworkPlan::None, ns.as_fd())).unwrap();
    let _server = ns.serve("127.0.0.1", 80);
    assert!(ns.ask("127.0.0.1:80").is_ok());
    assert_eq!(ns.sh("ip -oneline link").lines().filter(|line| line.contains("UP")).count(), 1);
}

#[test]
fn nothing_is_left_when_the_last_container_has_gone() {
    require!(program("ip"), program("nft"));
    let host = Host::new();
    let before = host.leftovers();
    let root = Root::new(&host);
    let (one, two) = (root.container("one", &both("8080:80")), root.container("two", &[]));
    assert!(host.leftovers().contains(&root.store.root_id8().to_owned()));
    one.end();
    assert!(!root.teardown(), "one container still has its address");
    assert!(
        two.ns
            .ask(&format!("{}:9", two.gateway()))
            .is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
    );
    two.end();
    assert!(root.teardown());
    // Links go with their namespaces, which takes the kernel a moment.
    wait_until(Duration::from_secs(10), || host.leftovers() == before);
    assert!(root.teardown(), "once more changes nothing");
}

#[test]
fn a_packet_filter_that_was_flushed_is_made_again_with_its_ports() {
    require!(program("ip"), program("nft"));
    let host = Host::new();
    let root = Root::new(&host);
    let web = root.container("web", &both("8080:80"));
    let _server = web.ns.serve("0.0.0.0", 80);
    host.ns.sh("nft flush ruleset");
    assert!(host.neighbour.cannot_reach("192.0.2.1:8080"));
    let _another = root.container("another", &[]);
    assert!(host.neighbour.ask("192.0.2.1:8080").is_ok());
    web.end();
    assert!(!host.ns.sh("nft list ruleset").contains("elements"));
}

#[test]
fn a_client_of_a_udp_port_that_goes_on_sending_finds_the_next_container() {
    require!(program("ip"), program("nft"));
    let host = Host::new();
    let root = Root::new(&host);
    let udp = PortSpec { protocol: Protocol::Udp, ..port("8080:80") };
    // The same socket all the time: to the kernel it is one connection.
    let client = host.neighbour.run(|| UdpSocket::bind("0.0.0.0:0").unwrap());
    client.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let asks = || {
        let mut answer = [0; 100];
        client.send_to(b"who am I?", "192.0.2.1:8080").ok()?;
        client.recv(&mut answer).ok()
    };
    // Something else keeps the bridge: without it the kernel would forget by itself.
    let other = root.container("other", &[]);
    let mut addresses = Vec::new();
    for id in ["first", "second"] {
        let web = root.container(id, std::slice::from_ref(&udp));
        assert!(!addresses.contains(&web.ip()), "an address came again at once");
        addresses.push(web.ip());
        let server = web.ns.serve("0.0.0.0", 80);
        wait_until(Duration::from_secs(5), || asks().is_some());
        drop(server);
        web.end();
    }
    drop(other);
}
