//! Networks without root: the way out, published ports, names, and the process that joins them with the outside.

use super::{MACHINE, MACHINE_6, Person};
use crate::support::require;
use crate::support::wait::wait_for;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::net::UdpSocket;
use std::time::Duration;

#[test]
fn connections_go_out_but_not_to_the_machines_loopback() {
    let person = require!(Person::new());
    let _outside = person.machine.serve(MACHINE, 7001);
    let _everywhere = person.machine.serve("0.0.0.0", 7002);
    let _loopback = person.machine.serve("127.0.0.1", 7003);
    let said = person.eval(&format!(
        r#"print(image("busybox:1").exec(["sh", "-c", `
            for to in '{MACHINE} 7001' 'host.docker.internal 7002' '{MACHINE} 7003' '127.0.0.1 7002' '127.0.0.2 7003' '0.0.0.0 7002' 'host.docker.internal 7003'; do
                echo "[$(nc -w 3 $to < /dev/null 2> /dev/null)]"
            done`]).text)"#
    ));
    let lines: Vec<&str> = said.lines().map(str::trim).collect();
    assert!(lines[0].starts_with(&format!("[{MACHINE}:")) && lines[1].starts_with(&format!("[{MACHINE}:")), "{said}");
    assert_eq!(lines[2..], ["[]"; 5], "{said}");
    person.wait_for_nobody();
}

#[test]
fn datagrams_go_out_and_come_back_from_where_they_were_sent_to() {
    let person = require!(Person::new());
    let _outside = person.machine.serve(MACHINE, 7001);
    let pid = start(&person, r#"#{ name: "sleeper" }"#, r#"["sleep", "1000"]"#);
    let answer = inside(pid, || ask_udp("0.0.0.0:0", &format!("{MACHINE}:7001")));
    assert!(answer.starts_with(&format!("{MACHINE}:")), "{answer}");
    let gateway = person.eval(r#"print(container("sleeper").inspect().NetworkSettings.Gateway)"#);
    let answer = inside(pid, || ask_udp("0.0.0.0:0", &format!("{}:7001", gateway.trim())));
    assert!(answer.starts_with(&format!("{MACHINE}:")), "{answer}");
    remove(&person, "sleeper");
    person.wait_for_nobody();
}

#[test]
fn names_of_others_are_asked_outside_and_those_of_containers_are_known() {
    let person = require!(Person::new());
    let server = person.machine.run(|| UdpSocket::bind((MACHINE, 53)).unwrap());
    // Whatever is asked, the answer is that there is no such name; an empty datagram ends it.
    let answering = std::thread::spawn(move || {
        let mut asked = String::new();
        let mut message = [0; 512];
        server.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        loop {
            let (length, client) = server.recv_from(&mut message).unwrap();
            if length == 0 {
                return asked;
            }
            asked.push_str(&String::from_utf8_lossy(&message[12..length]));
            (message[2], message[3]) = (0x81, 0x83);
            server.send_to(&message[..length], client).unwrap();
        }
    });
    person.eval(&format!(
        r#"create_network("backend");
           // The first asks itself, the second by way of the resolver.
           image("busybox:1").exec(["nslookup", "one.example"], #{{ dns: ["{MACHINE}"], check: false }});
           image("busybox:1").exec(["nslookup", "two.example"], #{{ dns: ["{MACHINE}"], network: "backend", check: false }});"#
    ));
    person.machine.run(|| UdpSocket::bind((MACHINE, 0)).unwrap().send_to(b"", (MACHINE, 53)).unwrap());
    let asked = answering.join().unwrap();
    assert!(asked.contains("one") && asked.contains("two"), "{asked}");
    let said = person.eval(
        r#"image("busybox:1").run(["nc", "-ll", "-p", "80", "-e", "echo", "hello"], #{ name: "web", network: "backend" }).wait_for(#{ port: 80 });
           print(image("busybox:1").exec(["sh", "-c", "nc -w 5 web 80 < /dev/null"], #{ network: "backend" }).text);
           container("web").remove(#{ force: true });
           network("backend").remove()"#,
    );
    assert_eq!(said.trim(), "hello");
    person.wait_for_nobody();
}

#[test]
fn published_ports_show_the_address_of_a_client_that_is_not_on_loopback() {
    let person = require!(Person::new());
    let pid = start(&person, r#"#{ name: "web", ports: ["18080:80", "18081:81/udp"] }"#, r#"["sleep", "1000"]"#);
    let _servers = [80, 81].map(|port| inside_netns(pid).serve("0.0.0.0", port));
    let gateway = person.eval(r#"print(container("web").inspect().NetworkSettings.Gateway)"#);
    for (address, seen) in [(MACHINE, MACHINE), ("127.0.0.1", gateway.trim())] {
        let tcp = person.machine.ask(&format!("{address}:18080")).unwrap();
        let udp = person.machine.ask_udp(&format!("{address}:18081")).unwrap();
        assert_eq!([tcp.to_string(), udp.to_string()], [seen, seen], "{address}");
    }
    let low = person.try_eval(r#"image("busybox:1").run(["true"], #{ ports: ["80:80"] })"#);
    let low = String::from_utf8_lossy(&low.stderr);
    assert!(low.contains("net.ipv4.ip_unprivileged_port_start=80"), "{low}");
    remove(&person, "web");
    person.wait_for_nobody();
}

#[test]
fn ipv6_goes_out_and_comes_in_with_the_clients_address() {
    let person = require!(Person::new());
    let _outside = person.machine.serve(MACHINE_6, 7001);
    person.eval(r#"create_network("six", #{ ipv6: true })"#);
    let options = r#"#{ name: "web", network: "six", ports: ["18080:80", "18081:81/udp"] }"#;
    let pid = start(&person, options, r#"["sleep", "1000"]"#);
    let seen = inside_netns(pid).ask(&format!("[{MACHINE_6}]:7001")).unwrap();
    assert_eq!(seen.to_string(), MACHINE_6);
    let answer = inside(pid, || ask_udp("[::]:0", &format!("[{MACHINE_6}]:7001")));
    assert!(answer.starts_with(&format!("[{MACHINE_6}]:")), "{answer}");
    let _servers = [80, 81].map(|port| inside_netns(pid).serve("::", port));
    let tcp = person.machine.ask(&format!("[{MACHINE_6}]:18080")).unwrap();
    let udp = person.machine.ask_udp(&format!("[{MACHINE_6}]:18081")).unwrap();
    assert_eq!([tcp.to_string(), udp.to_string()], [MACHINE_6; 2]);
    person.machine.ask("[::1]:18080").unwrap();
    remove(&person, "web");
    person.eval(r#"network("six").remove()"#);
    person.wait_for_nobody();
}

#[test]
fn where_packets_cannot_be_given_to_sockets_connections_go_out_alone() {
    let person = require!(Person::new()).way("connections");
    let _outside = person.machine.serve(MACHINE, 7001);
    let _loopback = person.machine.serve("127.0.0.1", 7002);
    let pid = start(&person, r#"#{ name: "web", ports: ["18080:80"] }"#, r#"["sleep", "1000"]"#);
    assert_eq!(inside_netns(pid).ask(&format!("{MACHINE}:7001")).unwrap().to_string(), MACHINE);
    assert!(inside_netns(pid).cannot_reach(&format!("{MACHINE}:7002")));
    let _server = inside_netns(pid).serve("0.0.0.0", 80);
    assert_eq!(person.machine.ask(&format!("{MACHINE}:18080")).unwrap().to_string(), MACHINE);
    let limits = person.eval(r#"print(network("bridge").inspect().WayOut)"#);
    assert!(limits.contains("UDP to the outside is not forwarded"), "{limits}");
    remove(&person, "web");
    person.wait_for_nobody();
}

#[test]
fn an_uplink_that_is_killed_is_replaced_and_containers_keep_their_network() {
    let person = require!(Person::new());
    let _outside = person.machine.serve(MACHINE, 7001);
    let first = start(&person, r#"#{ name: "first" }"#, r#"["sleep", "1000"]"#);
    let uplink = person.processes("shanty-uplink");
    kill(Pid::from_raw(uplink[0]), Signal::SIGKILL).unwrap();
    wait_for(Duration::from_secs(10), || person.processes("shanty-uplink").is_empty().then_some(()));
    let second = start(&person, r#"#{ name: "second" }"#, r#"["sleep", "1000"]"#);
    for pid in [first, second] {
        let seen = inside_netns(pid).ask(&format!("{MACHINE}:7001")).unwrap();
        assert_eq!(seen.to_string(), MACHINE);
    }
    let _server = inside_netns(second).serve("0.0.0.0", 80);
    let address = person.eval(r#"print(container("second").ip)"#);
    inside_netns(first).ask(&format!("{}:80", address.trim())).unwrap();
    remove(&person, "first");
    assert_eq!(person.processes("shanty-uplink").len(), 1);
    remove(&person, "second");
    person.wait_for_nobody();
}

#[test]
fn an_uplink_that_is_killed_is_brought_back_by_the_next_command() {
    let person = require!(Person::new());
    let _outside = person.machine.serve(MACHINE, 7001);
    let pid = start(&person, r#"#{ name: "web" }"#, r#"["nc", "-ll", "-p", "80", "-e", "echo", "hello"]"#);
    kill(Pid::from_raw(person.processes("shanty-uplink")[0]), Signal::SIGKILL).unwrap();
    wait_for(Duration::from_secs(10), || person.processes("shanty-uplink").is_empty().then_some(()));
    person.eval("containers()");
    inside_netns(pid).ask(&format!("{MACHINE}:7001")).unwrap();
    remove(&person, "web");
    person.wait_for_nobody();
}

#[test]
fn scripts_reach_containers_by_their_addresses() {
    let person = require!(Person::new());
    let said = person.eval(
        r#"let c = image("busybox:1").run(["sh", "-c", "mkdir /www; echo hi > /www/index.html; exec httpd -f -p 80 -h /www"], #{ name: "web" });
           c.wait_for(#{ port: 80 });
           print(http::get("http://" + c.ip + "/").text);
           c.remove(#{ force: true })"#,
    );
    assert_eq!(said.trim(), "hi");
    person.wait_for_nobody();
}

#[test]
fn a_running_container_joins_and_leaves_networks_and_internal_ones_lead_nowhere() {
    let person = require!(Person::new());
    let _outside = person.machine.serve("0.0.0.0", 7001);
    person.eval(r#"create_network("front", #{ ipv6: true }); create_network("back", #{ internal: true })"#);
    let front = start(&person, r#"#{ name: "front1", network: "front" }"#, r#"["sleep", "1000"]"#);
    let back =
        start(&person, r#"#{ name: "back1", network: "back" }"#, r#"["nc", "-ll", "-p", "80", "-e", "echo", "hello"]"#);
    let address = person.eval(r#"print(container("back1").ip)"#);
    let address = format!("{}:80", address.trim());
    assert!(inside_netns(front).cannot_reach(&address), "another network is reached");
    assert!(inside_netns(back).cannot_reach(&format!("{MACHINE}:7001")), "an internal network leads out");
    inside_netns(front).ask(&format!("{MACHINE}:7001")).unwrap();
    let ask = r#"container("front1").exec(["sh", "-c", "nc -w 5 back1 80 < /dev/null"]).text"#;
    assert_eq!(person.eval(&format!(r#"network("back").connect("front1"); print({ask})"#)).trim(), "hello");
    person.eval(r#"network("back").disconnect("front1")"#);
    assert!(inside_netns(front).cannot_reach(&address));
    let about = person.eval(r#"print(network("front").inspect().WayOut.Kind)"#);
    assert_eq!(about.trim(), "forwarding");
    person.eval(
        r#"for name in ["front1", "back1"] { container(name).remove(#{ force: true }) } network("front").remove(); network("back").remove()"#,
    );
    person.wait_for_nobody();
}

#[test]
fn many_commands_at_once_share_one_home() {
    let person = require!(Person::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..3 {
                    person.eval(r#"image("busybox:1").exec(["true"])"#);
                }
            });
        }
    });
    person.wait_for_nobody();
}

/// Starts a container and gives the process id of its program.
fn start(person: &Person, options: &str, command: &str) -> i32 {
    let said = person.eval(&format!(r#"print(image("busybox:1").run({command}, {options}).inspect().State.Pid)"#));
    said.trim().parse().unwrap()
}

fn remove(person: &Person, name: &str) {
    person.eval(&format!(r#"container("{name}").remove(#{{ force: true }})"#));
}

fn inside_netns(pid: i32) -> crate::support::netns::Netns {
    crate::support::netns::Netns::of(pid)
}

fn inside<T: Send>(pid: i32, work: impl FnOnce() -> T + Send) -> T {
    inside_netns(pid).run(work)
}

fn ask_udp(from: &str, server: &str) -> String {
    let socket = UdpSocket::bind(from).unwrap();
    socket.connect(server).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut answer = [0; 100];
    let mut last = String::new();
    // The first ones make the way, later ones take it.
    for _ in 0..5 {
        socket.send(b"who am I?").unwrap();
        let length = socket.recv(&mut answer).unwrap();
        last = String::from_utf8_lossy(&answer[..length]).into_owned();
    }
    last
}
