//! Machines made of network namespaces: a host whose whole network is the test's own, a neighbour on its
//! wire, and containers. So tests that run at once do not meet, and the real host is left alone.

use nix::sched::{CloneFlags, setns, unshare};
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A network namespace of its own, until it is dropped and nothing runs in it any more.
pub struct Netns(OwnedFd);

impl Netns {
    /// With nothing up.
    pub fn new() -> Self {
        let made = thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            File::open("/proc/thread-self/ns/net").unwrap()
        });
        Self(made.join().unwrap().into())
    }

    /// That of a process.
    pub fn of(pid: i32) -> Self {
        Self(File::open(format!("/proc/{pid}/ns/net")).unwrap().into())
    }

    /// Runs `work` in it, on a thread of its own.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| scope.spawn(|| self.enter(work)).join().unwrap())
    }

    fn enter<T>(&self, work: impl FnOnce() -> T) -> T {
        setns(&self.0, CloneFlags::CLONE_NEWNET).unwrap();
        work()
    }

    /// A path that programs such as `ip` take for it.
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd())
    }

    /// Runs command lines in it, which have to succeed; gives what the last one printed.
    pub fn sh(&self, lines: &str) -> String {
        self.run(|| {
            let output = Command::new("sh").args(["-ec", lines]).output().unwrap();
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "`{lines}` failed: {errors}");
            String::from_utf8(output.stdout).unwrap()
        })
    }

    /// Starts a TCP and a UDP server that answer with the address and port of whoever asks.
    pub fn serve(&self, address: &str, port: u16) -> Server {
        let address = SocketAddr::new(address.parse().unwrap(), port);
        let (tcp, udp) = self.run(|| (TcpListener::bind(address).unwrap(), UdpSocket::bind(address).unwrap()));
        Server::start(tcp, udp)
    }

    /// Asks a server over TCP: the address it saw.
    pub fn ask(&self, server: &str) -> io::Result<IpAddr> {
        self.ask_tcp_within(server, ANSWER)
    }

    /// Asks a server over UDP: the address it saw.
    pub fn ask_udp(&self, server: &str) -> io::Result<IpAddr> {
        self.ask_udp_within(server, ANSWER)
    }

    /// Whether a server answers neither over TCP nor over UDP.
    pub fn cannot_reach(&self, server: &str) -> bool {
        self.ask_tcp_within(server, SILENCE).is_err() && self.ask_udp_within(server, SILENCE).is_err()
    }

    fn ask_tcp_within(&self, server: &str, limit: Duration) -> io::Result<IpAddr> {
        let server: SocketAddr = server.parse().unwrap();
        self.run(|| {
            let mut stream = TcpStream::connect_timeout(&server, limit)?;
            stream.set_read_timeout(Some(limit))?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            address(&answer)
        })
    }

    fn ask_udp_within(&self, server: &str, limit: Duration) -> io::Result<IpAddr> {
        let server: SocketAddr = server.parse().unwrap();
        self.run(|| {
            let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            let socket = UdpSocket::bind(any)?;
            socket.connect(server)?;
            socket.set_read_timeout(Some(limit))?;
            socket.send(b"who am I?")?;
            let mut answer = [0; 100];
            let length = socket.recv(&mut answer)?;
            address(std::str::from_utf8(&answer[..length]).unwrap())
        })
    }
}

impl AsFd for Netns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// How long an answer may take on a busy machine.
const ANSWER: Duration = Duration::from_secs(10);
/// How long there has to be none. Long for what takes a millisecond where nothing stops it.
const SILENCE: Duration = Duration::from_millis(500);

fn address(answer: &str) -> io::Result<IpAddr> {
    let address: SocketAddr = answer.parse().map_err(|_| io::Error::other(format!("no answer but `{answer}`")))?;
    Ok(address.ip())
}

/// Servers that end when it is dropped.
pub struct Server {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    fn start(tcp: TcpListener, udp: UdpSocket) -> Self {
        const TICK: Duration = Duration::from_millis(5);
        let stop = Arc::new(AtomicBool::new(false));
        tcp.set_nonblocking(true).unwrap();
        udp.set_read_timeout(Some(TICK)).unwrap();
        let stopped = [Arc::clone(&stop), Arc::clone(&stop)];
        let [tcp_stopped, udp_stopped] = stopped;
        let tcp = thread::spawn(move || {
            while !tcp_stopped.load(Ordering::SeqCst) {
                match tcp.accept() {
                    // Whoever went away before the answer does not want it.
                    Ok((mut client, peer)) => drop(client.write_all(peer.to_string().as_bytes())),
                    Err(_) => thread::sleep(TICK),
                }
            }
        });
        let udp = thread::spawn(move || {
            let mut question = [0; 100];
            while !udp_stopped.load(Ordering::SeqCst) {
                if let Ok((_, peer)) = udp.recv_from(&mut question) {
                    drop(udp.send_to(peer.to_string().as_bytes(), peer));
                }
            }
        });
        Self { stop, threads: vec![tcp, udp] }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
    }
}
