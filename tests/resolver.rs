//! Names of containers, and what goes to the host's servers: a container and a host, each a network namespace.

mod process;
mod upstream;

use crate::require;
use crate::support::{Netns, program, wait_until};
use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::RecordType;
use shanty::runtime::network::resolver::{self, ResolverNetwork, ResolverPlan, names};
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use upstream::{Behaviour, Server};

/// How long an answer may take on a busy machine.
const ANSWER: Duration = Duration::from_secs(20);

/// A container that looks names up, and the host that it runs on.
struct Machine {
    host: Netns,
    container: Netns,
    dir: TempDir,
    sockets: Vec<OwnedFd>,
    address: SocketAddr,
}

impl Machine {
    /// Whose resolver serves a random port; `resolv_conf` is the host's.
    fn new(plan: &ResolverPlan, resolv_conf: &str) -> Self {
        Self::on(plan, resolv_conf, 0)
    }

    fn on(plan: &ResolverPlan, resolv_conf: &str, port: u16) -> Self {
        let machine = Self::bound(plan, port);
        machine.resolv_conf(resolv_conf);
        machine.serve();
        machine
    }

    /// Whose sockets nobody serves yet.
    fn unserved(plan: &ResolverPlan) -> Self {
        Self::bound(plan, 0)
    }

    fn bound(plan: &ResolverPlan, port: u16) -> Self {
        let (host, container, dir) = (Netns::new(), Netns::new(), TempDir::new().unwrap());
        for netns in [&host, &container] {
            netns.sh("ip link set lo up");
        }
        let (sockets, port) = container.run(|| resolver::bind(port).unwrap());
        let address = (resolver::ADDRESS, port).into();
        let machine = Self { host, container, dir, sockets, address };
        machine.plan(plan);
        machine
    }

    fn serve(&self) {
        let (plan, conf) = (self.dir.path().join("plan.json"), self.dir.path().join("resolv.conf"));
        let sockets: Vec<_> = self.sockets.iter().map(|socket| socket.try_clone().unwrap()).collect();
        // Threads are where the one is that starts them.
        self.host.run(|| {
            std::thread::spawn(move || {
                let sockets: Vec<_> = sockets.iter().map(AsFd::as_fd).collect();
                resolver::serve(&plan, &conf, &sockets).unwrap();
            });
        });
    }

    fn plan(&self, plan: &ResolverPlan) {
        plan.write(&self.dir.path().join("plan.json")).unwrap();
    }

    fn resolv_conf(&self, text: &str) {
        let new = self.dir.path().join("new");
        fs::write(&new, text).unwrap();
        fs::rename(new, self.dir.path().join("resolv.conf")).unwrap();
    }

    fn server(&self, address: &str, behaviour: Behaviour) -> Server {
        self.host.run(|| Server::start(address.parse().unwrap(), behaviour))
    }

    fn socket(&self) -> UdpSocket {
        let socket = self.container.run(|| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
        socket.connect(self.address).unwrap();
        socket.set_read_timeout(Some(ANSWER)).unwrap();
        socket
    }

    fn connection(&self) -> TcpStream {
        let stream = self.container.run(|| TcpStream::connect(self.address).unwrap());
        stream.set_read_timeout(Some(ANSWER)).unwrap();
        stream
    }

    fn udp(&self, name: &str, kind: RecordType) -> Message {
        let socket = self.socket();
        socket.send(&query(7, name, kind)).unwrap();
        receive(&socket)
    }

    fn tcp(&self, name: &str, kind: RecordType) -> Message {
        let mut stream = self.connection();
        send(&mut stream, &query(7, name, kind));
        receive_over(&mut stream)
    }

    /// The addresses of a name, or the code of the failure.
    fn look_up(&self, name: &str) -> Result<Vec<String>, ResponseCode> {
        data(&self.udp(name, RecordType::A))
    }
}

fn data(answer: &Message) -> Result<Vec<String>, ResponseCode> {
    assert_eq!(answer.metadata.id, 7);
    match answer.metadata.response_code {
        ResponseCode::NoError => Ok(answer.answers.iter().map(|record| record.data.to_string()).collect()),
        code => Err(code),
    }
}

fn query(id: u16, name: &str, kind: RecordType) -> Vec<u8> {
    let mut message = Message::query();
    message.metadata.id = id;
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(name.parse().unwrap(), kind));
    message.to_vec().unwrap()
}

fn receive(socket: &UdpSocket) -> Message {
    let mut answer = [0; 4096];
    let length = socket.recv(&mut answer).unwrap();
    Message::from_vec(&answer[..length]).unwrap()
}

fn send(stream: &mut TcpStream, packet: &[u8]) {
    let mut message = (packet.len() as u16).to_be_bytes().to_vec();
    message.extend(packet);
    stream.write_all(&message).unwrap();
}

fn receive_over(stream: &mut TcpStream) -> Message {
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut answer).unwrap();
    Message::from_vec(&answer).unwrap()
}

fn put(file: &std::path::Path, id: &str, address: &str) {
    let entry = names::Entry {
        container: id.into(),
        addresses: vec![address.parse().unwrap()],
        names: vec![format!("shop-web-{id}"), "web".into()],
    };
    names::put(file, &entry).unwrap();
}

/// A plan with one network, whose names are in a folder of their own.
fn one_network() -> (TempDir, PathBuf, ResolverPlan) {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("backend.json");
    let networks = vec![ResolverNetwork { name: "backend".into(), names: file.clone() }];
    (dir, file, ResolverPlan { networks, forwards: true, ..ResolverPlan::default() })
}

#[test]
fn a_container_is_found_from_its_start_until_its_end() {
    let (_dir, file, plan) = one_network();
    let machine = Machine::new(&plan, "nameserver 127.0.0.53\n");
    let _server = machine.server("127.0.0.53", Behaviour::Answer([192, 0, 2, 1].into()));
    assert_eq!(machine.look_up("example.com."), Ok(vec!["192.0.2.1".into()]), "no names yet");
    put(&file, "1", "10.0.0.1");
    assert_eq!(machine.look_up("web."), Ok(vec!["10.0.0.1".into()]));
    assert_eq!(data(&machine.udp("web.", RecordType::AAAA)), Ok(vec![]));
    assert_eq!(data(&machine.tcp("Web.Backend.", RecordType::A)), Ok(vec!["10.0.0.1".into()]));
    let reverse = data(&machine.tcp("1.0.0.10.in-addr.arpa.", RecordType::PTR));
    assert_eq!(reverse, Ok(vec!["shop-web-1.backend.".into()]));
    put(&file, "2", "10.0.0.2");
    let orders: Vec<_> = (0..4).map(|_| machine.look_up("web.").unwrap()).collect();
    assert!(orders.iter().all(|order| order.len() == 2));
    assert!(orders[0] != orders[1] && orders[0] == orders[2] && orders[1] == orders[3], "{orders:?}");
    names::remove(&file, "1").unwrap();
    assert_eq!(machine.look_up("web."), Ok(vec!["10.0.0.2".into()]));
    names::remove(&file, "2").unwrap();
    assert_eq!(machine.look_up("web."), Ok(vec!["192.0.2.1".into()]), "somebody else's now");
}

#[test]
fn names_of_other_networks_are_not_seen_until_one_joins() {
    let (dir, file, mut plan) = one_network();
    let other = dir.path().join("other.json");
    put(&other, "1", "10.9.0.1");
    put(&file, "2", "10.0.0.2");
    plan.forwards = false;
    let machine = Machine::new(&plan, "nameserver 127.0.0.53\n");
    let server = machine.server("127.0.0.53", Behaviour::Answer([192, 0, 2, 1].into()));
    assert_eq!(machine.look_up("shop-web-1."), Err(ResponseCode::ServFail));
    assert_eq!(machine.look_up("example.com."), Err(ResponseCode::ServFail));
    assert_eq!(server.asked(), 0, "an internal network");
    plan.networks.push(ResolverNetwork { name: "other".into(), names: other.clone() });
    machine.plan(&plan);
    assert_eq!(machine.look_up("shop-web-1."), Ok(vec!["10.9.0.1".into()]));
    assert_eq!(machine.look_up("web.other."), Ok(vec!["10.9.0.1".into()]));
    assert_eq!(machine.look_up("web."), Ok(vec!["10.0.0.2".into()]));
    plan.networks.remove(0);
    machine.plan(&plan);
    assert_eq!(machine.look_up("web."), Ok(vec!["10.9.0.1".into()]));
    assert_eq!(machine.look_up("shop-web-2."), Err(ResponseCode::ServFail));
}

#[test]
fn the_next_server_is_asked_when_one_does_not_answer() {
    let (_dir, _, plan) = one_network();
    let conf = |first: &str| format!("nameserver {first}\nnameserver 127.0.1.9\noptions timeout:1\n");
    let machine = Machine::new(&plan, &conf("127.0.1.1"));
    let good = machine.server("127.0.1.9", Behaviour::Answer([192, 0, 2, 9].into()));
    let mut asked = 0;
    for (address, behaviour) in [
        ("127.0.1.1", None), // nobody listens there
        ("127.0.1.2", Some(Behaviour::Silent)),
        ("127.0.1.3", Some(Behaviour::Fails(ResponseCode::ServFail))),
        ("127.0.1.4", Some(Behaviour::Fails(ResponseCode::Refused))),
        ("127.0.1.5", Some(Behaviour::WrongId)),
        ("127.0.1.6", Some(Behaviour::WrongQuestion)),
        ("127.0.1.7", Some(Behaviour::Garbage)),
    ] {
        let server = behaviour.map(|behaviour| machine.server(address, behaviour));
        machine.resolv_conf(&conf(address));
        assert_eq!(machine.look_up("example.com."), Ok(vec!["192.0.2.9".into()]), "{behaviour:?} over UDP");
        let answer = data(&machine.tcp("example.com.", RecordType::A));
        assert_eq!(answer, Ok(vec!["192.0.2.9".into()]), "{behaviour:?} over TCP");
        assert!(server.is_none_or(|server| server.asked() >= 2), "{behaviour:?}");
        asked += 2;
        assert_eq!(good.asked(), asked, "{behaviour:?}");
    }
}

#[test]
fn without_a_server_that_answers_the_client_is_told() {
    let (_dir, _, plan) = one_network();
    let machine = Machine::new(&plan, "nameserver 127.0.1.1\noptions timeout:1 attempts:2\n");
    assert_eq!(machine.look_up("example.com."), Err(ResponseCode::ServFail), "nobody listens there");
    let silent = machine.server("127.0.1.1", Behaviour::Silent);
    assert_eq!(machine.look_up("example.com."), Err(ResponseCode::ServFail));
    assert_eq!(silent.asked(), 2, "as many attempts as the file says");
    machine.resolv_conf("nameserver 127.0.1.2\n");
    let _missing = machine.server("127.0.1.2", Behaviour::Fails(ResponseCode::NXDomain));
    assert_eq!(machine.look_up("example.com."), Err(ResponseCode::NXDomain));
}

#[test]
fn a_slow_answer_is_taken_though_the_next_server_was_asked() {
    let (_dir, _, plan) = one_network();
    let conf = "nameserver 127.0.1.1\nnameserver 127.0.1.2\noptions timeout:1\n";
    let machine = Machine::new(&plan, conf);
    let _slow = machine.server("127.0.1.1", Behaviour::Slow(Duration::from_millis(1500), [192, 0, 2, 1].into()));
    let silent = machine.server("127.0.1.2", Behaviour::Silent);
    assert_eq!(machine.look_up("example.com."), Ok(vec!["192.0.2.1".into()]));
    assert_eq!(silent.asked(), 1);
}

#[test]
fn servers_of_the_container_go_before_the_hosts_and_rotate_spreads_them() {
    let (_dir, _, mut plan) = one_network();
    let machine = Machine::new(&plan, "nameserver 127.0.1.1\nnameserver 127.0.1.2\noptions rotate\n");
    let first = machine.server("127.0.1.1", Behaviour::Answer([192, 0, 2, 1].into()));
    let second = machine.server("127.0.1.2", Behaviour::Answer([192, 0, 2, 2].into()));
    let own = machine.server("127.0.1.3", Behaviour::Answer([192, 0, 2, 3].into()));
    for _ in 0..6 {
        machine.look_up("example.com.").unwrap();
    }
    assert_eq!((first.asked(), second.asked(), own.asked()), (3, 3, 0));
    plan.servers = vec!["127.0.1.3".parse().unwrap()];
    machine.plan(&plan);
    assert_eq!(machine.look_up("example.com."), Ok(vec!["192.0.2.3".into()]));
}

#[test]
fn a_truncated_answer_is_passed_on_and_the_whole_one_comes_over_tcp() {
    let (_dir, _, plan) = one_network();
    let machine = Machine::new(&plan, "nameserver 127.0.1.1\n");
    let _server = machine.server("127.0.1.1", Behaviour::Truncated([192, 0, 2, 1].into()));
    let cut = machine.udp("example.com.", RecordType::A);
    assert!(cut.metadata.truncation && cut.answers.is_empty());
    assert_eq!(data(&machine.tcp("example.com.", RecordType::A)), Ok(vec!["192.0.2.1".into()]));
}

#[test]
fn a_stalled_server_does_not_stall_local_names() {
    let (_dir, file, plan) = one_network();
    put(&file, "1", "10.0.0.1");
    let machine = Machine::new(&plan, "nameserver 127.0.1.1\noptions timeout:30\n");
    let server = machine.server("127.0.1.1", Behaviour::Silent);
    // More than are forwarded at once: the others are told so.
    let socket = machine.socket();
    for id in 0..300 {
        socket.send(&query(1000 + id, "example.com.", RecordType::A)).unwrap();
        if id % 20 == 0 {
            let started = Instant::now();
            assert_eq!(machine.look_up("web."), Ok(vec!["10.0.0.1".into()]));
            assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
        }
    }
    for _ in 0..300 - 256 {
        assert_eq!(receive(&socket).metadata.response_code, ResponseCode::ServFail);
    }
    wait_until(ANSWER, || server.asked() == 256);
    // The same connection that waits for others.
    let mut stream = machine.connection();
    for _ in 0..40 {
        send(&mut stream, &query(9, "example.com.", RecordType::A));
    }
    send(&mut stream, &query(7, "web.", RecordType::A));
    let answer = std::iter::repeat_with(|| receive_over(&mut stream)).find(|answer| answer.metadata.id == 7).unwrap();
    assert_eq!(data(&answer), Ok(vec!["10.0.0.1".into()]));
}

#[test]
fn one_connection_asks_local_and_other_names_in_any_order() {
    let (_dir, file, plan) = one_network();
    put(&file, "1", "10.0.0.1");
    let machine = Machine::new(&plan, "nameserver 127.0.1.1\n");
    let _slow = machine.server("127.0.1.1", Behaviour::Slow(Duration::from_millis(300), [192, 0, 2, 1].into()));
    let mut stream = machine.connection();
    send(&mut stream, &query(7, "example.com.", RecordType::A));
    // In two pieces, as a network may deliver it.
    let packet = query(8, "web.", RecordType::A);
    let length = (packet.len() as u16).to_be_bytes();
    stream.write_all(&[length[0]]).unwrap();
    stream.write_all(&[&[length[1]], &packet[..5]].concat()).unwrap();
    stream.write_all(&packet[5..]).unwrap();
    assert_eq!(receive_over(&mut stream).metadata.id, 8);
    assert_eq!(data(&receive_over(&mut stream)), Ok(vec!["192.0.2.1".into()]));
}

#[test]
fn a_hostile_container_harms_nobody() {
    let (_dir, file, plan) = one_network();
    put(&file, "1", "10.0.0.1");
    let machine = Machine::new(&plan, "nameserver 127.0.1.1\n");
    let socket = machine.socket();
    let good = query(3, "web.", RecordType::A);
    for number in 0..2000usize {
        let mut packet: Vec<u8> = (0..number % 700).map(|at| (at * number) as u8 ^ 0x5a).collect();
        if number % 3 == 0 && packet.len() > good.len() {
            packet[..12].copy_from_slice(&good[..12]);
        }
        socket.send(&packet).unwrap();
    }
    socket.send(&vec![0; 60_000]).unwrap();
    // Connections that say nothing, a part, too much, and more of them than are taken.
    let open: Vec<_> = (0..100u8)
        .map(|number| {
            let mut stream = machine.connection();
            let said = [&[][..], &[0], &[0, 50, 1, 2, 3], &[0xff, 0xff], &[0, 0], &[0, 3, 1, 2, 3]];
            let _ = stream.write_all(said[usize::from(number) % said.len()]);
            stream
        })
        .collect();
    assert_eq!(machine.look_up("web."), Ok(vec!["10.0.0.1".into()]));
    drop(open);
    // They are let go, and there is room for others.
    wait_until(ANSWER, || {
        let mut stream = machine.connection();
        let mut length = [0; 2];
        let _ = stream.write_all(&(good.len() as u16).to_be_bytes()).and_then(|()| stream.write_all(&good));
        stream.read_exact(&mut length).is_ok()
    });
}

#[test]
fn a_look_up_takes_a_fraction_of_a_millisecond_in_a_network_of_250() {
    let (_dir, file, plan) = one_network();
    for number in 0..250 {
        put(&file, &number.to_string(), &format!("10.0.0.{number}"));
    }
    let machine = Machine::new(&plan, "nameserver 127.0.1.1\n");
    let socket = machine.socket();
    let mut taken: Vec<_> = (0..1000)
        .map(|number| {
            let packet = query(7, &format!("shop-web-{}.", number % 250), RecordType::A);
            let started = Instant::now();
            socket.send(&packet).unwrap();
            let answer = receive(&socket);
            let taken = started.elapsed();
            assert_eq!(data(&answer), Ok(vec![format!("10.0.0.{}", number % 250)]));
            taken
        })
        .collect();
    taken.sort();
    println!("look-up: median {:?}, 99 % {:?}", taken[500], taken[990]);
    assert!(taken[500] < Duration::from_millis(1), "{:?}", taken[500]);
    let started = Instant::now();
    for number in 0..100 {
        put(&file, "one more", &format!("10.0.1.{number}"));
    }
    println!("put: {:?}", started.elapsed() / 100);
}

#[test]
fn an_ordinary_client_finds_names() {
    let busybox = require!(program("busybox"));
    let (_dir, file, plan) = one_network();
    put(&file, "1", "10.0.0.1");
    let machine = Machine::on(&plan, "nameserver 127.0.1.1\n", 53);
    let _server = machine.server("127.0.1.1", Behaviour::Answer([192, 0, 2, 1].into()));
    let look_up =
        |name: &str| machine.container.sh(&format!("{} nslookup -type=a {name} 127.0.0.11", busybox.display()));
    assert!(look_up("web").contains("Address: 10.0.0.1"), "{}", look_up("web"));
    assert!(look_up("example.com").contains("Address: 192.0.2.1"));
}
