//! Whether a container's port answers: a listening socket inside and, where it is published, a connection
//! through the published address.

use crate::error::{IoContext, Result};
use crate::model::{Protocol, PublishedPort};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// `TCP_LISTEN` in the kernel's `tcp_states.h`, as `/proc/net/tcp` prints it.
const LISTEN: &str = "0A";
/// A connection over loopback answers at once or not at all.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);

/// Whether a TCP port of the network namespace of process `pid` is listened on, and reachable where it is
/// published.
pub fn port_open(pid: i32, port: u16, published: &[PublishedPort]) -> Result<bool> {
    if !listens(pid, port)? {
        return Ok(false);
    }
    let reachable = |published: &PublishedPort| {
        let ip = match published.host_ip {
            ip if !ip.is_unspecified() => ip,
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        };
        TcpStream::connect_timeout(&SocketAddr::new(ip, published.host_port), CONNECT_TIMEOUT).is_ok()
    };
    // One address is enough: a program that listens on IPv4 only is not reached over `::1`.
    let mut of_port = published.iter().filter(|p| p.container_port == port && p.protocol == Protocol::Tcp).peekable();
    Ok(of_port.peek().is_none() || of_port.any(reachable))
}

fn listens(pid: i32, port: u16) -> Result<bool> {
    for table in ["tcp", "tcp6"] {
        let path = format!("/proc/{pid}/net/{table}");
        let text = match std::fs::read_to_string(&path) {
            // No IPv6 in this kernel, or the process has just ended.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => continue,
            read => read.doing(|| format!("cannot read `{path}`"))?,
        };
        if text.lines().skip(1).any(|line| listening_port(line) == Some(port)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The local port of a line of `/proc/net/tcp` when it is a listening socket (proc(5)).
fn listening_port(line: &str) -> Option<u16> {
    let mut fields = line.split_ascii_whitespace();
    let (_, port) = fields.nth(1)?.rsplit_once(':')?;
    let state = fields.nth(1)?;
    (state == LISTEN).then(|| u16::from_str_radix(port, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_port_is_open_while_something_listens() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let pid = nix::unistd::getpid().as_raw();
        let published = |host_port| {
            let host_ip = Ipv4Addr::LOCALHOST.into();
            [PublishedPort { host_ip, host_port, container_port: port, protocol: Protocol::Tcp }]
        };
        assert!(port_open(pid, port, &[]).unwrap());
        assert!(port_open(pid, port, &published(port)).unwrap());
        assert!(!port_open(pid, port, &published(1)).unwrap(), "nothing answers at the published address");
        drop(listener);
        assert!(!port_open(pid, port, &[]).unwrap());
    }
}
