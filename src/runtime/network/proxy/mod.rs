//! Serves what the packet filter does not lead to the container: connections and datagrams that reach
//! the sockets which hold the published ports. These are `::1` and other IPv6 addresses, and loopback
//! on kernels without `route_localnet`.
//!
//! For an ordinary user they are all: the sockets are in the machine's network namespace, and the process that serves them
//! is in the home of the user's networks, where it reaches the container.
//!
//! The monitor watches the sockets, and at the first sign of life starts one process for all of them,
//! which costs nothing where nobody uses IPv6.

mod client;
mod tcp;
mod udp;

pub(super) use tcp::join;

use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::model::{Protocol, PublishedPort};
use crate::sys::close_range::close_all_but;
use crate::sys::fork::fork_single_threaded;
use crate::sys::netns;
use client::Target;
use nix::unistd::Pid;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::thread;

/// Stacks of the proxy's threads, bytes: their buffers are on the heap.
const STACK: usize = 128 * 1024;

/// Starts a child process that runs [`serve`] until this process ends, or it is killed. The caller
/// reaps it, stops watching the sockets while it lives, and may start another when it has died.
///
/// `home` is where the container is reached, when that is not this process's network namespace.
///
/// # Errors
/// `unsupported` in a process with several threads.
pub fn start(
    ips: &[IpAddr],
    ports: &[PublishedPort],
    sockets: &[BorrowedFd<'_>],
    home: Option<BorrowedFd<'_>>,
) -> Result<Pid> {
    fork_single_threaded(|| {
        // The monitor's other descriptors are its own: whoever waits for the end of its connection to
        // the monitor would wait for this process too.
        let keep: Vec<_> = sockets.iter().chain(&home).map(AsRawFd::as_raw_fd).collect();
        let alone = close_all_but(&keep);
        let moved = home.map_or(Ok(()), netns::enter);
        i32::from(alone.is_err() || moved.is_err() || serve(ips, ports, sockets, home.is_some()).is_err())
    })
}

/// Forwards what comes in on `sockets`, which hold `ports` in the same order, to the container's
/// address of the same family, else to the first. Blocks until the sockets fail.
///
/// `shows_clients`: the container sees the addresses of its clients, where they can be kept.
pub fn serve(ips: &[IpAddr], ports: &[PublishedPort], sockets: &[BorrowedFd<'_>], shows_clients: bool) -> Result<()> {
    let mut threads = Vec::new();
    for (port, socket) in ports.iter().zip(sockets) {
        let socket = socket.try_clone_to_owned().doing(|| "cannot copy the socket of a published port")?;
        let same = ips.iter().find(|ip| ip.is_ipv4() == port.host_ip.is_ipv4());
        let Some(ip) = same.or(ips.first()) else { continue };
        let target = Target { address: SocketAddr::from((*ip, port.container_port)), shows_clients };
        let protocol = port.protocol;
        threads.push(
            spawn(move || match protocol {
                Protocol::Tcp => tcp::serve(&TcpListener::from(socket), target),
                Protocol::Udp => udp::serve(&UdpSocket::from(socket), target),
            })
            .doing(|| "cannot start a thread")?,
        );
    }
    for thread in threads {
        thread
            .join()
            .map_err(|_| Error::new(ErrorKind::Io, "the proxy of a published port panicked"))?
            .doing(|| "cannot serve a published port")?;
    }
    Ok(())
}

fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<thread::JoinHandle<T>> {
    thread::Builder::new().stack_size(STACK).spawn(work)
}
