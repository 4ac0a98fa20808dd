//! UDP to the outside: a socket of ours for each pair of a container's socket and where it sends to.

use super::destination::Wanted;
use super::shares::Shares;
use super::spawn;
use crate::runtime::network::gate::Pass;
use crate::sys::transparent;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// How long nothing may go until a flow is forgotten: after a question without an answer or with one, and after a
/// conversation (the kernel's connection tracking has the same).
const IDLE: [Duration; 2] = [Duration::from_secs(30), Duration::from_secs(180)];
/// Datagrams from outside that make a conversation.
const CONVERSATION: usize = 3;
/// The largest datagram.
const DATAGRAM: usize = 65_535;

/// Asks for a socket in the home, from one address to another.
type Order = (SocketAddr, SocketAddr, SyncSender<io::Result<UdpSocket>>);

/// Makes sockets in the home for threads that are not there.
#[derive(Clone)]
pub struct Maker(Sender<Order>);

impl Maker {
    /// One that makes them in the namespace of the thread that calls this.
    pub fn here() -> io::Result<Self> {
        let (sender, orders): (_, Receiver<Order>) = channel();
        spawn(move || {
            for (from, to, answer) in orders {
                let _ = answer.send(transparent::between(from, to));
            }
        })?;
        Ok(Self(sender))
    }

    fn between(&self, from: SocketAddr, to: SocketAddr) -> io::Result<UdpSocket> {
        let (answer, answered) = sync_channel(1);
        self.0.send((from, to, answer)).map_err(io::Error::other)?;
        answered.recv().map_err(io::Error::other)?
    }
}

/// Forwards datagrams to where they were to go. All but the first ones of a flow come in on a socket of its own.
pub fn serve(socket: &UdpSocket, to: Wanted, maker: &Maker, mut shares: Shares) {
    let mut flows: HashMap<(SocketAddr, SocketAddr), Weak<UdpSocket>> = HashMap::new();
    let mut datagram = vec![0; DATAGRAM];
    loop {
        // Whatever fails costs this datagram, as datagrams are lost.
        let Ok((length, client, wanted)) = transparent::receive(socket, &mut datagram) else { continue };
        if let Some(outside) = flows.get(&(client, wanted)).and_then(Weak::upgrade) {
            let _ = outside.send(&datagram[..length]);
            continue;
        }
        let Some(address) = to.resolve(wanted) else { continue };
        flows.retain(|_, flow| flow.strong_count() > 0);
        let Some(pass) = shares.enter(client.ip()) else { continue };
        if let Ok(outside) = begin((client, wanted), address, maker, pass) {
            let _ = outside.send(&datagram[..length]);
            flows.insert((client, wanted), Arc::downgrade(&outside));
        }
    }
}

fn begin(
    (client, wanted): (SocketAddr, SocketAddr),
    address: SocketAddr,
    maker: &Maker,
    pass: [Pass; 2],
) -> io::Result<Arc<UdpSocket>> {
    let any = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let outside = UdpSocket::bind(SocketAddr::new(any, 0))?;
    outside.connect(address)?;
    let inside = maker.between(wanted, client)?;
    let outside = Arc::new(outside);
    let kept = Arc::clone(&outside);
    spawn(move || {
        let _pass = pass;
        let _ = converse(&inside, &kept);
    })?;
    Ok(outside)
}

/// Passes datagrams both ways until nothing has gone for a while.
fn converse(inside: &UdpSocket, outside: &UdpSocket) -> io::Result<()> {
    let mut datagram = vec![0; DATAGRAM];
    let mut answers = 0usize;
    inside.set_nonblocking(true)?;
    outside.set_nonblocking(true)?;
    loop {
        let idle = IDLE[usize::from(answers >= CONVERSATION)];
        let mut sockets = [inside, outside].map(|socket| PollFd::new(socket.as_fd(), PollFlags::POLLIN));
        match poll(&mut sockets, PollTimeout::try_from(idle).unwrap_or(PollTimeout::MAX)) {
            Ok(0) => return Ok(()),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        // A refusal from outside is read here, and not told: the client finds out by the silence.
        if let Ok(length) = inside.recv(&mut datagram) {
            let _ = outside.send(&datagram[..length]);
        }
        if let Ok(length) = outside.recv(&mut datagram) {
            answers += 1;
            let _ = inside.send(&datagram[..length]);
        }
    }
}
