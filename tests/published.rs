//! Networks and published ports, from scripts.

use crate::support::busybox::with_busybox;
use crate::support::fixtures::program;
use crate::support::require;
use crate::support::shanty::Shanty;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

/// Starts a server that answers each connection with a text; gives the port on the host.
fn serve(shanty: &Shanty, name: &str, ports: &str) -> u16 {
    let code = format!(
        r#"let c = image("busybox:1").run(["nc", "-ll", "-p", "80", "-e", "echo", "hello"], #{{ name: "{name}", ports: {ports} }});
           c.wait_for(#{{ port: 80 }});
           c.port(80).host_port"#
    );
    u16::try_from(shanty.json(&code).as_u64().unwrap()).unwrap()
}

fn ask(address: impl Into<SocketAddr>) -> String {
    let mut stream = TcpStream::connect_timeout(&address.into(), Duration::from_secs(5)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

#[test]
fn a_published_port_answers_on_loopback_of_both_families_and_on_the_hosts_addresses() {
    let shanty = require!(with_busybox());
    let port = serve(&shanty, "web", "[80]");
    assert_eq!(ask((Ipv4Addr::LOCALHOST, port)), "hello\n");
    assert_eq!(ask(([127, 0, 0, 5], port)), "hello\n");
    assert_eq!(ask((std::net::Ipv6Addr::LOCALHOST, port)), "hello\n");
    let gateway = shanty.json(r#"container("web").inspect().NetworkSettings.Gateway"#);
    let gateway: Ipv4Addr = gateway.as_str().unwrap().parse().unwrap();
    assert_eq!(ask((gateway, port)), "hello\n");
    // Another container through the host's address, and through the container's own.
    let value = shanty.json(&format!(
        r#"let ip = container("web").ip;
           let get = |address| image("busybox:1").exec(["sh", "-c", "nc -w 5 " + address + " < /dev/null"]).text;
           [get.call("{gateway} {port}"), get.call(ip + " 80")]"#
    ));
    assert_eq!(value, serde_json::json!(["hello", "hello"]));
    shanty.eval(r#"container("web").remove(#{ force: true })"#).ok();
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err(), "nothing answers any more");
    shanty.assert_nothing_left();
}

#[test]
fn a_port_published_on_one_address_is_not_on_another() {
    let shanty = require!(with_busybox());
    let port = serve(&shanty, "web", r#"["127.0.0.7::80"]"#);
    assert_eq!(ask(([127, 0, 0, 7], port)), "hello\n");
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err());
}

#[test]
fn udp_ports_are_published_too() {
    let shanty = require!(with_busybox());
    require!(program("perl"));
    // Numbers instead of names, so that no module is needed: AF_INET, SOCK_DGRAM, UDP.
    let server = r#"socket(S, 2, 2, 17); bind(S, pack("Sna4x8", 2, 5300, "\0\0\0\0"));
        while ($from = recv(S, $text, 100, 0)) { chomp $text; send(S, "got $text\n", 0, $from) }"#;
    shanty.write("server.pl", server);
    let code = r#"
        let perl = from("scratch").host_program("perl", #{ to: "/perl" }).copy("server.pl", "/server.pl").tag("perl:1");
        let c = perl.run(["/perl", "/server.pl"], #{ ports: ["127.0.0.1::5300/udp"] });
        c.port("5300/udp").host_port
    "#;
    let port = shanty.json(code).as_u64().unwrap() as u16;
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let mut answer = [0u8; 64];
    // The server may not listen yet: the first datagrams are lost then.
    let length = (0..50)
        .find_map(|_| {
            socket.send_to(b"this\n", ("127.0.0.1", port)).unwrap();
            socket.recv(&mut answer).ok()
        })
        .expect("an answer");
    assert_eq!(&answer[..length], b"got this\n");
}

#[test]
fn a_port_that_is_taken_is_a_conflict_that_names_who_has_it_and_leaves_nothing() {
    let shanty = require!(with_busybox());
    let port = serve(&shanty, "first", r#"["127.0.0.1::80"]"#);
    let second =
        format!(r#"image("busybox:1").run(["sleep", "100"], #{{ name: "second", ports: ["127.0.0.1:{port}:80"] }})"#);
    let taken = shanty.eval(&second).fails_with("conflict");
    assert!(taken.stderr.contains("`first`"), "{taken}");
    let program = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = program.local_addr().unwrap().port();
    let third = format!(r#"image("busybox:1").run(["sleep", "100"], #{{ ports: ["127.0.0.1:{port}:80"] }})"#);
    let taken = shanty.eval(&third).fails_with("conflict");
    assert!(taken.stderr.contains(&format!("pid {}", std::process::id())), "{taken}");
    let names = shanty.json("containers(#{ all: true }).map(|c| c.name)");
    assert_eq!(names, serde_json::json!(["first"]));
}

#[test]
fn a_container_reaches_the_host_and_not_its_loopback() {
    let shanty = require!(with_busybox());
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"the host\n").unwrap();
    });
    let code = format!(
        r#"let c = image("busybox:1").run(["sleep", "1000"], #{{ cap_add: ["NET_ADMIN"] }});
           let gateway = c.inspect().NetworkSettings.Gateway;
           let loopback = c.sh("ip route add 127.0.0.2 via " + gateway + " dev eth0 table local; nc -w 2 127.0.0.2 {port} < /dev/null", #{{ check: false }});
           let host = c.sh("nc -w 5 " + gateway + " {port} < /dev/null").text;
           [host, loopback.code != 0]"#
    );
    assert_eq!(shanty.json(&code), serde_json::json!(["the host", true]));
    answering.join().unwrap();
}

#[test]
fn network_none_has_loopback_only_and_network_host_is_the_hosts() {
    let shanty = require!(with_busybox());
    let value = shanty.json(
        r#"
        let links = |network| image("busybox:1").exec(["sh", "-c", "ls /sys/class/net"], #{ network: network }).lines;
        let name = image("busybox:1").exec(["hostname"], #{ network: "host" }).text;
        [links.call("none"), links.call("host"), name]
        "#,
    );
    assert_eq!(value[0], serde_json::json!(["lo"]));
    let mut links: Vec<_> = std::fs::read_dir("/sys/class/net")
        .unwrap()
        .map(|link| link.unwrap().file_name().into_string().unwrap())
        .collect();
    links.retain(|link| !link.starts_with("sh") && !link.starts_with("veth"));
    for link in links {
        assert!(value[1].as_array().unwrap().iter().any(|found| *found == link), "{link} in {}", value[1]);
    }
    assert_eq!(value[2], nix::unistd::gethostname().unwrap().into_string().unwrap());
}

#[test]
fn containers_of_two_roots_have_networks_of_their_own() {
    let (one, two) = (require!(with_busybox()), require!(with_busybox()));
    let ports = [serve(&one, "web", "[80]"), serve(&two, "web", "[80]")];
    assert!(ports[0] != ports[1] && ports.map(|port| ask((Ipv4Addr::LOCALHOST, port))) == ["hello\n", "hello\n"]);
    let subnet = |shanty: &Shanty| shanty.json(r#"container("web").inspect().NetworkSettings.Gateway"#);
    assert_ne!(subnet(&one), subnet(&two));
    let ip = two.json(r#"container("web").ip"#);
    let reached = one.json(&format!(
        r#"image("busybox:1").exec(["sh", "-c", "nc -w 1 {} 80 < /dev/null"], #{{ check: false }}).text"#,
        ip.as_str().unwrap()
    ));
    assert_eq!(reached, "", "networks of different roots are apart");
}
