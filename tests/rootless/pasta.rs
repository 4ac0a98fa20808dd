//! The way out by `pasta`, where it is installed and `/dev/net/tun` is everybody's: in a virtual machine,
//! `tests/run --vm --systemd`.

use super::{MACHINE, MACHINE_6, Person};
use crate::support::fixtures::{Missing, program};
use crate::support::netns::Netns;
use crate::support::require;
use crate::support::wait::wait_for;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

/// Another machine, behind the router of the user's.
const FAR: &str = "203.0.113.1";
const FAR_6: &str = "2001:db8:2::1";

#[test]
fn pasta_is_the_way_out_where_it_is_there_and_ends_with_the_last_container() {
    let (person, far) = require!(behind_a_router(Person::new));
    let _servers = [far.serve(FAR, 7001), far.serve(FAR_6, 7001)];
    let told = r#"print(info().way_out.name)"#;
    assert_eq!(person.eval(told).trim(), "pasta", "the one that would be taken");
    let six = r#"create_network("six", #{ ipv6: true });"#;
    let options = r#"#{ name: "web", network: "six", ports: ["18080:80"] }"#;
    let run = format!(r#"{six} print(image("busybox:1").run(["sleep", "1000"], {options}).inspect().State.Pid)"#);
    let inside = Netns::of(person.eval(&run).trim().parse().unwrap());
    assert_eq!(person.eval(told).trim(), "pasta", "the one in use: {}", person.eval("print(info().way_out)"));
    assert_eq!(person.eval(r#"print(network("six").inspect().WayOut.Kind)"#).trim(), "pasta");
    assert_eq!(pastas(&person).len(), 1);

    for (to, from) in [(format!("{FAR}:7001"), MACHINE), (format!("[{FAR_6}]:7001"), MACHINE_6)] {
        assert_eq!(inside.ask(&to).unwrap().to_string(), from, "TCP to {to}");
        assert_eq!(inside.ask_udp(&to).unwrap().to_string(), from, "UDP to {to}");
    }
    let ping =
        format!(r#"print(container("web").exec(["ping", "-c", "1", "-W", "10", "{FAR}"], #{{ check: false }}).code)"#);
    person.machine.sh("sysctl -qw net.ipv4.ping_group_range='0 2147483647'");
    assert_eq!(person.eval(&ping).trim(), "0");
    // A published port, and the machine by the gateway, are ours beside it.
    let _inside = inside.serve("0.0.0.0", 80);
    assert_eq!(person.machine.ask(&format!("{MACHINE}:18080")).unwrap().to_string(), MACHINE);
    let _everywhere = person.machine.serve("0.0.0.0", 7002);
    let gateway = person.eval(r#"print(container("web").inspect().NetworkSettings.Networks.six.Gateway)"#);
    inside.ask(&format!("{}:7002", gateway.trim())).unwrap();

    person.eval(r#"container("web").remove(#{ force: true }); network("six").remove()"#);
    person.wait_for_nobody();
    assert_eq!(pastas(&person), Vec::<i32>::new());
}

#[test]
fn names_are_looked_up_beside_pasta() {
    let (person, far) = require!(behind_a_router(Person::new));
    let server = far.run(|| UdpSocket::bind((FAR, 53)).unwrap());
    let answering = std::thread::spawn(move || {
        let mut message = [0; 512];
        server.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let (length, client) = server.recv_from(&mut message).unwrap();
        (message[2], message[3]) = (0x81, 0x83);
        server.send_to(&message[..length], client).unwrap();
        String::from_utf8_lossy(&message[12..length]).into_owned()
    });
    let lookup =
        format!(r#"image("busybox:1").exec(["nslookup", "one.example"], #{{ dns: ["{FAR}"], check: false }})"#);
    person.eval(&lookup);
    assert!(answering.join().unwrap().contains("one"));
    person.wait_for_nobody();
}

#[test]
fn a_pasta_whose_uplink_was_killed_is_replaced() {
    let (person, far) = require!(behind_a_router(Person::new));
    let _server = far.serve(FAR, 7001);
    let run = r#"print(image("busybox:1").run(["sleep", "1000"], #{ name: "web" }).inspect().State.Pid)"#;
    let inside = Netns::of(person.eval(run).trim().parse().unwrap());
    kill(Pid::from_raw(person.processes("shanty-uplink")[0]), Signal::SIGKILL).unwrap();
    wait_for(Duration::from_secs(10), || person.processes("shanty-uplink").is_empty().then_some(()));
    person.eval("containers()");
    inside.ask(&format!("{FAR}:7001")).unwrap();
    assert_eq!(pastas(&person).len(), 1);
    person.eval(r#"container("web").remove(#{ force: true })"#);
    person.wait_for_nobody();
}

#[test]
fn pasta_of_a_user_with_a_systemd_and_ranges_is_where_the_networks_are() {
    let (person, far) = require!(behind_a_router(Person::with_systemd));
    let _server = far.serve(FAR, 7001);
    let run = r#"print(image("busybox:1").run(["sleep", "1000"], #{ name: "web" }).inspect().State.Pid)"#;
    let inside = Netns::of(person.eval(run).trim().parse().unwrap());
    assert_eq!(inside.ask(&format!("{FAR}:7001")).unwrap().to_string(), MACHINE);
    let groups = fs::read_to_string(format!("/proc/{}/cgroup", pastas(&person)[0])).unwrap();
    assert!(groups.contains("/app.slice/shanty-networks-"), "{groups}");
    person.eval(r#"container("web").remove(#{ force: true })"#);
    person.wait_for_nobody();
}

/// A user whose machine has a default route, and what is at its other end.
fn behind_a_router(person: impl FnOnce() -> Result<Person, Missing>) -> Result<(Person, Netns), Missing> {
    program("pasta")?;
    let tun = fs::metadata("/dev/net/tun").map(|device| device.permissions().mode() & 0o006).unwrap_or_default();
    if tun != 0o006 {
        return Err(Missing("`/dev/net/tun` that everybody may open".into()));
    }
    let (mut person, far) = (person()?, Netns::new());
    person.way = "";
    person
        .machine
        .sh(&format!("ip link add out type veth peer name in netns {}; ip link set out master wire up", far.path()));
    far.sh(&format!(
        "ip link set lo up; ip link set in up; ip addr add 198.51.100.2/24 dev in; ip addr add 2001:db8:1::2/64 dev in nodad
         ip addr add {FAR}/32 dev lo; ip addr add {FAR_6}/128 dev lo nodad"
    ));
    person.machine.sh("ip route add default via 198.51.100.2; ip -6 route add default via 2001:db8:1::2");
    Ok((person, far))
}

fn pastas(person: &Person) -> Vec<i32> {
    person.processes("pasta")
}
