//! Asks others. The query goes out as it came in, with an id and from a port of its own, and their answer comes back
//! as it is.

use super::query::{Query, answers};
use super::replaced::Watched;
use super::upstream::Upstream;
use hickory_proto::op::ResponseCode;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// However often and long a `resolv.conf` has us ask, no client waits longer than this.
const LONGEST: Duration = Duration::from_secs(30);
/// How many sockets a query has at once: each is listened to after the next server was asked. Together with
/// [`super::service`]'s bound this stays below 1024, the usual limit on open files.
const MOST_SOCKETS: usize = 3;
/// The largest message.
const LARGEST: usize = 65_535;

/// Asks others.
pub struct Forwarder {
    host: Mutex<Watched<Upstream>>,
    turn: AtomicUsize,
}

/// What a server said that is no answer, in case that nobody has a better one.
type Failure = Option<Vec<u8>>;

impl Forwarder {
    /// Asks those whom the file names, which is read again when it changes.
    pub fn new(resolv_conf: &Path) -> Self {
        let parse = |text: &[u8]| Some(Upstream::parse(&String::from_utf8_lossy(text)));
        Self { host: Mutex::new(Watched::new(resolv_conf, parse)), turn: AtomicUsize::new(0) }
    }

    /// Whom to ask: `servers`, or else the host's.
    fn upstream(&self, servers: &[IpAddr]) -> Upstream {
        let mut upstream = if servers.is_empty() {
            let mut host = self.host.lock().unwrap_or_else(PoisonError::into_inner);
            host.refresh();
            host.value().clone()
        } else {
            Upstream::of(servers)
        };
        if upstream.rotate {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed) % upstream.servers.len();
            upstream.servers.rotate_left(turn);
        }
        upstream
    }

    /// Asks with datagrams; gives the answer, or what a server said instead.
    pub fn over_udp(&self, servers: &[IpAddr], packet: &[u8], query: &Query) -> Failure {
        let mut upstream = self.upstream(servers);
        let end = Instant::now() + LONGEST;
        let mut asked = Vec::new();
        let mut failure = None;
        for _ in 0..upstream.attempts {
            for server in upstream.servers.clone() {
                let Ok(one) = Asked::ask(server, packet) else { continue };
                if asked.len() == MOST_SOCKETS {
                    asked.remove(0);
                }
                asked.push(one);
                let until = end.min(Instant::now() + upstream.timeout);
                match wait(&mut asked, query, until, &mut failure) {
                    Some(answer) => return Some(with_id_of(packet, answer)),
                    // It has said what it had to say.
                    None if asked.last().is_none_or(|last| last.server != server) => {
                        upstream.servers.retain(|other| *other != server);
                    }
                    None => {}
                }
                if Instant::now() >= end {
                    break;
                }
            }
        }
        failure.map(|failure| with_id_of(packet, failure))
    }

    /// Asks over connections; gives the answer, or what a server said instead.
    pub fn over_tcp(&self, servers: &[IpAddr], packet: &[u8], query: &Query) -> Failure {
        let upstream = self.upstream(servers);
        let mut failure = None;
        let end = Instant::now() + LONGEST;
        // A connection repeats what is lost: asking the same server again would not help.
        for server in upstream.servers {
            let Some(left) = end.checked_duration_since(Instant::now()) else { break };
            // Connecting, and then the answer.
            match ask_over_tcp(server, packet, query, left.min(upstream.timeout * 2)) {
                Ok((answer, code)) if is_final(code) => return Some(with_id_of(packet, answer)),
                Ok((answer, _)) => failure = Some(answer),
                Err(_) => {}
            }
        }
        failure.map(|failure| with_id_of(packet, failure))
    }
}

/// A server that was asked and may still answer.
struct Asked {
    socket: UdpSocket,
    server: SocketAddr,
    id: u16,
}

impl Asked {
    fn ask(server: SocketAddr, packet: &[u8]) -> io::Result<Self> {
        let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        // The kernel chooses the port at random; connected, it takes datagrams of this server only and hears that
        // nobody listens there.
        let socket = UdpSocket::bind((any, 0))?;
        socket.connect(server)?;
        socket.set_nonblocking(true)?;
        let id = random_id()?;
        socket.send(&with_id(packet.to_vec(), id))?;
        Ok(Self { socket, server, id })
    }

    /// What it said: `Ok(None)` when that was nothing, or nothing to this query.
    fn receive(&self, query: &Query) -> io::Result<Option<(Vec<u8>, ResponseCode)>> {
        let mut answer = vec![0; LARGEST];
        match self.socket.recv(&mut answer) {
            Ok(length) => {
                answer.truncate(length);
                Ok(answers(&answer, self.id, query).map(|code| (answer, code)))
            }
            Err(error) if [io::ErrorKind::WouldBlock, io::ErrorKind::Interrupted].contains(&error.kind()) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Waits for an answer of anyone who was asked, until the one who was asked last has failed or time is over. Those who
/// have failed are taken out.
fn wait(asked: &mut Vec<Asked>, query: &Query, until: Instant, failure: &mut Failure) -> Option<Vec<u8>> {
    let last = asked.last().map(|asked| asked.id);
    while last.is_some() && asked.last().map(|asked| asked.id) == last {
        let left = until.checked_duration_since(Instant::now())?;
        let mut polled: Vec<_> =
            asked.iter().map(|asked| PollFd::new(asked.socket.as_fd(), PollFlags::POLLIN)).collect();
        // One more, as a rest below a millisecond would be none.
        let left = PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX);
        let _ = poll(&mut polled, left);
        let ready: Vec<bool> = polled.iter().map(|fd| fd.any().unwrap_or(false)).collect();
        for index in (0..asked.len()).rev().filter(|index| ready[*index]) {
            match asked[index].receive(query) {
                Ok(None) => {}
                Ok(Some((answer, code))) if is_final(code) => return Some(answer),
                Ok(Some((answer, _))) => {
                    *failure = Some(answer);
                    asked.remove(index);
                }
                Err(_) => drop(asked.remove(index)),
            }
        }
    }
    None
}

fn ask_over_tcp(
    server: SocketAddr,
    packet: &[u8],
    query: &Query,
    limit: Duration,
) -> io::Result<(Vec<u8>, ResponseCode)> {
    let end = Instant::now() + limit;
    let left = || {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::Error::from(io::ErrorKind::TimedOut)) } else { Ok(left) }
    };
    let mut stream = TcpStream::connect_timeout(&server, left()? / 2)?;
    let id = random_id()?;
    let mut message = (packet.len() as u16).to_be_bytes().to_vec();
    message.extend(with_id(packet.to_vec(), id));
    stream.set_write_timeout(Some(left()?))?;
    stream.write_all(&message)?;
    let mut exact = |length: usize| {
        let mut text = vec![0; length];
        let mut read = 0;
        while read < length {
            stream.set_read_timeout(Some(left()?))?;
            match stream.read(&mut text[read..])? {
                0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
                more => read += more,
            }
        }
        io::Result::Ok(text)
    };
    let length = exact(2)?;
    let answer = exact(usize::from(u16::from_be_bytes([length[0], length[1]])))?;
    let code = answers(&answer, id, query).ok_or(io::ErrorKind::InvalidData)?;
    Ok((answer, code))
}

/// Whether another server would have to say the same: not when this one could not or did not want to answer.
fn is_final(code: ResponseCode) -> bool {
    !matches!(code, ResponseCode::ServFail | ResponseCode::Refused)
}

fn random_id() -> io::Result<u16> {
    let mut id = [0; 2];
    getrandom::fill(&mut id).map_err(io::Error::other)?;
    Ok(u16::from_be_bytes(id))
}

/// The id is the first two bytes of a message.
fn with_id(mut packet: Vec<u8>, id: u16) -> Vec<u8> {
    packet[..2].copy_from_slice(&id.to_be_bytes());
    packet
}

fn with_id_of(query: &[u8], mut answer: Vec<u8>) -> Vec<u8> {
    answer[..2].copy_from_slice(&query[..2]);
    answer
}
