//! The sockets that hold published ports against every other program, from before the container starts
//! until it has ended.

use super::port_holder;
use crate::error::{Error, ErrorKind, Result, errno_text};
use crate::model::{PortSpec, Protocol, PublishedPort};
use crate::store::Store;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, bind, getsockname, listen, setsockopt, socket, sockopt,
};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};

/// A port and the socket that holds it.
pub type HeldPort = (PublishedPort, OwnedFd);

/// Connections that wait for the proxy at most.
const BACKLOG: i32 = 128;
/// A random port has to be free on two addresses; most are.
const RANDOM_TRIES: usize = 64;

/// Binds a socket for each port: two, IPv4 and IPv6, where no address was asked for. The kernel chooses
/// where no port was asked for.
pub fn hold(store: &Store, specs: &[PortSpec]) -> Result<Vec<HeldPort>> {
    let mut held: Vec<HeldPort> = Vec::new();
    for (number, spec) in specs.iter().enumerate() {
        // The same published twice is published once, as in Docker.
        if spec.host_port.is_some() && specs[..number].contains(spec) {
            continue;
        }
        match hold_one(spec) {
            Ok(sockets) => held.extend(sockets),
            Err(refused) => return Err(explain(store, spec, &refused, &held)),
        }
    }
    Ok(held)
}

/// The address that could not be bound, and why.
struct Refused {
    address: SocketAddr,
    errno: Errno,
}

fn hold_one(spec: &PortSpec) -> Result<Vec<HeldPort>, Refused> {
    let choices: Vec<u16> = match (spec.host_port, spec.host_port_end) {
        (Some(first), Some(last)) => (first..=last).collect(),
        (Some(port), None) => vec![port],
        (None, _) => vec![0; RANDOM_TRIES],
    };
    let mut result = Ok(Vec::new());
    for port in choices {
        result = hold_once(spec, port);
        match &result {
            // It is taken, or one that was free on the first address is not on the second.
            Err(refused) if refused.errno == Errno::EADDRINUSE => {}
            _ => break,
        }
    }
    result
}

fn hold_once(spec: &PortSpec, mut port: u16) -> Result<Vec<HeldPort>, Refused> {
    let addresses = match spec.host_ip {
        Some(ip) => vec![ip],
        None => vec![IpAddr::from(Ipv4Addr::UNSPECIFIED), IpAddr::from(Ipv6Addr::UNSPECIFIED)],
    };
    let mut held = Vec::new();
    for ip in addresses {
        let address = SocketAddr::new(ip, port);
        match open(address, spec.protocol) {
            Ok((socket, bound)) => {
                port = bound;
                let published = PublishedPort {
                    host_ip: ip,
                    host_port: port,
                    container_port: spec.container_port,
                    protocol: spec.protocol,
                };
                held.push((published, socket));
            }
            // A host without IPv6 is served by IPv4 alone, unless IPv6 was asked for.
            Err(Errno::EAFNOSUPPORT | Errno::EADDRNOTAVAIL) if ip.is_ipv6() && spec.host_ip.is_none() => {}
            Err(errno) => return Err(Refused { address, errno }),
        }
    }
    Ok(held)
}

/// Binds a socket and gives the port it has.
fn open(address: SocketAddr, protocol: Protocol) -> nix::Result<(OwnedFd, u16)> {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let kind = match protocol {
        Protocol::Tcp => SockType::Stream,
        Protocol::Udp => SockType::Datagram,
    };
    let fd = socket(family, kind, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)?;
    if address.is_ipv6() {
        // Else it would hold the IPv4 port too.
        setsockopt(&fd, sockopt::Ipv6V6Only, &true)?;
    }
    if protocol == Protocol::Tcp {
        // Connections of an earlier run that have not timed out yet do not matter. For UDP the option
        // would let somebody else have the port as well.
        setsockopt(&fd, sockopt::ReuseAddr, &true)?;
    }
    bind(fd.as_raw_fd(), &SockaddrStorage::from(address))?;
    if protocol == Protocol::Tcp {
        listen(&fd, Backlog::new(BACKLOG)?)?;
    }
    let bound: SockaddrStorage = getsockname(fd.as_raw_fd())?;
    let port = match (bound.as_sockaddr_in(), bound.as_sockaddr_in6()) {
        (Some(v4), _) => v4.port(),
        (_, Some(v6)) => v6.port(),
        _ => address.port(),
    };
    Ok((fd, port))
}

/// The lowest port that everybody may have.
fn lowest() -> u16 {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    text.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(1024)
}

fn explain(store: &Store, spec: &PortSpec, refused: &Refused, held: &[HeldPort]) -> Error {
    let Refused { address, errno } = refused;
    let port = match (spec.host_ip, spec.protocol) {
        (None, Protocol::Tcp) => format!("{}", address.port()),
        (None, Protocol::Udp) => format!("{}/udp", address.port()),
        (Some(_), Protocol::Tcp) => format!("{address}"),
        (Some(_), Protocol::Udp) => format!("{address}/udp"),
    };
    match errno {
        Errno::EADDRINUSE if spec.host_port_end.is_some() => Error::conflict(format!(
            "cannot publish on a port from {} to {}: all of them are taken",
            spec.host_port.unwrap_or_default(),
            address.port()
        ))
        .hint("give a larger range, or leave it out for any free port"),
        Errno::EADDRINUSE => {
            let twice = held.iter().any(|(held, _)| {
                held.host_port == address.port()
                    && held.protocol == spec.protocol
                    && held.host_ip.is_ipv4() == address.is_ipv4()
            });
            if twice {
                return Error::invalid(format!("port {port} is published twice"));
            }
            port_holder::conflict(store, &port, *address, spec.protocol)
        }
        Errno::EADDRNOTAVAIL => {
            Error::invalid(format!("cannot publish port {port}: {} is no address of this host", address.ip()))
                .hint("leave the address out to publish on all of them")
        }
        Errno::EACCES | Errno::EPERM => {
            Error::new(ErrorKind::Denied, format!("cannot publish port {port}: ports below {} are root's", lowest()))
                .hint(format!(
                    "choose a higher port, or have root run `sysctl net.ipv4.ip_unprivileged_port_start={}`",
                    address.port()
                ))
        }
        errno => {
            Error::new(ErrorKind::Io, format!("cannot publish port {port}: {}", errno_text(&io::Error::from(*errno))))
        }
    }
}
