//! Whom the host asks: `/etc/resolv.conf`, as resolv.conf(5) describes it.

use nix::net::if_::if_nametoindex;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use std::time::Duration;

/// How many servers are asked, as in the C library (`MAXNS`).
const MOST_SERVERS: usize = 3;
/// How long a server is waited for before the next one is asked. Clients give up on us after five seconds; by then the
/// second server should have been asked. What a slow one says later is still taken.
const TIMEOUT: Duration = Duration::from_secs(2);
/// The bounds of `timeout`, seconds, and `attempts`; the upper ones are the C library's.
const TIMEOUTS: (u64, u64) = (1, 30);
const ATTEMPTS: (u32, u32) = (1, 5);
/// How often all servers are asked, as in the C library.
const DEFAULT_ATTEMPTS: u32 = 2;
const PORT: u16 = 53;

/// Whom to ask, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// In this order.
    pub servers: Vec<SocketAddr>,
    /// How long to wait for one before the next is asked.
    pub timeout: Duration,
    /// How often to ask all of them.
    pub attempts: u32,
    /// Whether each query begins with another one.
    pub rotate: bool,
}

impl Default for Upstream {
    /// What the C library does without the file: it asks this machine.
    fn default() -> Self {
        Self::of(&[Ipv4Addr::LOCALHOST.into()])
    }
}

impl Upstream {
    /// Of servers that somebody chose.
    pub fn of(servers: &[IpAddr]) -> Self {
        let servers = servers.iter().take(MOST_SERVERS).map(|ip| SocketAddr::new(*ip, PORT)).collect();
        Self { servers, timeout: TIMEOUT, attempts: DEFAULT_ATTEMPTS, rotate: false }
    }

    /// Of the text of a `resolv.conf`. What is not understood is passed over, as the C library does.
    pub fn parse(text: &str) -> Self {
        let mut upstream = Self { servers: Vec::new(), ..Self::default() };
        for line in text.lines() {
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("nameserver") if upstream.servers.len() < MOST_SERVERS => {
                    upstream.servers.extend(words.next().and_then(server));
                }
                Some("options") => words.for_each(|option| upstream.set(option)),
                _ => {}
            }
        }
        if upstream.servers.is_empty() {
            upstream.servers = Self::default().servers;
        }
        upstream
    }

    fn set(&mut self, option: &str) {
        let (name, value) = option.split_once(':').unwrap_or((option, ""));
        match (name, value.parse::<u32>()) {
            ("timeout", Ok(seconds)) => {
                self.timeout = Duration::from_secs(u64::from(seconds).clamp(TIMEOUTS.0, TIMEOUTS.1));
            }
            ("attempts", Ok(attempts)) => self.attempts = attempts.clamp(ATTEMPTS.0, ATTEMPTS.1),
            ("rotate", _) => self.rotate = true,
            _ => {}
        }
    }
}

/// An address, for one of a link with the link: `fe80::1%eth0`.
fn server(text: &str) -> Option<SocketAddr> {
    let Some((address, link)) = text.split_once('%') else {
        return text.parse().ok().map(|ip| SocketAddr::new(ip, PORT));
    };
    let scope = link.parse().ok().or_else(|| if_nametoindex(link).ok())?;
    Some(SocketAddrV6::new(address.parse().ok()?, PORT, 0, scope).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_resolv_conf_is_read_as_the_c_library_reads_it() {
        let text = "# nameserver 192.0.2.9\n; nameserver 192.0.2.8\nsearch example.com\n\
            nameserver 192.0.2.1\nnameserver\t2001:db8::1\nnameserver fe80::1%lo\nnameserver 192.0.2.4\n\
            nameserver no-address\noptions rotate timeout:3\noptions attempts:4 ndots:5 edns0\n";
        let upstream = Upstream::parse(text);
        let servers: Vec<_> = upstream.servers.iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["192.0.2.1:53", "[2001:db8::1]:53", "[fe80::1%1]:53"]);
        assert!(upstream.rotate);
        assert_eq!((upstream.timeout, upstream.attempts), (Duration::from_secs(3), 4));
        assert_eq!(Upstream::parse("search example.com\n"), Upstream::default());
        assert_eq!(Upstream::default().servers, ["127.0.0.1:53".parse().unwrap()]);
        let wild = Upstream::parse("options timeout:0 attempts:99999 timeout:x");
        assert_eq!((wild.timeout, wild.attempts), (Duration::from_secs(1), 5));
    }

    proptest! {
        #[test]
        fn no_text_is_without_servers(text in "(nameserver|options|timeout:|[0-9.:%a]| |\n|\\PC){0,40}") {
            let upstream = Upstream::parse(&text);
            prop_assert!((1..=MOST_SERVERS).contains(&upstream.servers.len()));
        }
    }
}
