//! `/etc/resolv.conf` and `/etc/hosts` of a container.

use crate::error::{Error, IoContext, Result};
use std::fmt::Write;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr};

const RESOLV_CONF: &str = "/etc/resolv.conf";
const HOSTS: &str = "/etc/hosts";
/// Where systemd-resolved keeps the name servers it asks itself.
const SYSTEMD_RESOLV_CONF: &str = "/run/systemd/resolve/resolv.conf";
/// The address that systemd-resolved serves on, in the `resolv.conf` that it gives programs.
const SYSTEMD_STUB: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 53));
/// The name by which programs in containers reach the host, as in Docker Desktop and Podman.
pub const HOST: &str = "host.docker.internal";
/// Docker's choice where a host has no name server that a container can reach.
const PUBLIC_NAME_SERVERS: [&str; 2] = ["8.8.8.8", "8.8.4.4"];

/// The host's own `/etc/resolv.conf`: what a container with the host's network gets.
pub fn host_resolv_conf() -> Result<String> {
    read(RESOLV_CONF)
}

/// The host's own `/etc/hosts`: what a container with the host's network gets, with its extra hosts.
pub fn host_hosts() -> Result<String> {
    read(HOSTS)
}

fn read(path: &str) -> Result<String> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        result => result.doing(|| format!("cannot read `{path}`")),
    }
}

/// How a container's `/etc/resolv.conf` differs from the host's.
#[derive(Clone, Debug, Default)]
pub struct ResolvConf<'a> {
    /// Name servers instead of the host's.
    pub dns: &'a [IpAddr],
    /// Search domains instead of the host's; `.` alone: none.
    pub dns_search: &'a [String],
}

impl ResolvConf<'_> {
    /// The file for a container whose names are looked up by a resolver at this address: the host's search domains and
    /// options, and only names without any dot are looked up as they are, as in Docker.
    pub fn of_resolver(&self, resolver: IpAddr) -> Result<String> {
        Ok(self.with_resolver(&host_resolv_conf()?, resolver))
    }

    fn with_resolver(&self, host: &str, resolver: IpAddr) -> String {
        let mut text = ResolvConf { dns: &[resolver], ..*self }.after(host);
        let has_ndots = |line: &str| line.starts_with("options") && line.contains("ndots:");
        if !text.lines().any(has_ndots) {
            text.push_str("options ndots:0\n");
        }
        text
    }

    /// The file for a container in a network namespace of its own.
    pub fn of_this_host(&self) -> Result<String> {
        let host = host_resolv_conf()?;
        // Its stub cannot be reached from elsewhere; what it asks itself can.
        if servers(&host) == [SYSTEMD_STUB] {
            return Ok(self.after(&read(SYSTEMD_RESOLV_CONF)?));
        }
        Ok(self.after(&host))
    }

    /// The file made from the host's: name servers on loopback, which is another one in the container,
    /// and IPv6 ones, which an IPv4 network cannot reach, are left out.
    pub fn after(&self, host: &str) -> String {
        let mut text = String::new();
        for line in host.lines() {
            let kept = match line.split_ascii_whitespace().next() {
                Some("nameserver") | None => false,
                Some("search" | "domain") => self.dns_search.is_empty(),
                Some(word) => !word.starts_with(['#', ';']),
            };
            if kept {
                let _ = writeln!(text, "{}", line.trim());
            }
        }
        if !self.dns_search.is_empty() && self.dns_search != ["."] {
            let _ = writeln!(text, "search {}", self.dns_search.join(" "));
        }
        let mut servers: Vec<String> = self.dns.iter().map(ToString::to_string).collect();
        if servers.is_empty() {
            let reachable = self::servers(host).into_iter().filter(|server| server.is_ipv4() && !server.is_loopback());
            servers.extend(reachable.map(|server| server.to_string()));
        }
        if servers.is_empty() {
            servers.extend(PUBLIC_NAME_SERVERS.map(str::to_owned));
        }
        for server in servers {
            let _ = writeln!(text, "nameserver {server}");
        }
        text
    }
}

/// The name servers of a `resolv.conf`; those that are no addresses are left out.
fn servers(text: &str) -> Vec<IpAddr> {
    let server = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        if words.next()? == "nameserver" { words.next()?.parse().ok() } else { None }
    };
    text.lines().filter_map(server).collect()
}

/// A container's `/etc/hosts`.
#[derive(Clone, Debug, Default)]
pub struct HostsFile<'a> {
    /// Host name of the container.
    pub hostname: &'a str,
    /// Its domain, if it has one.
    pub domainname: Option<&'a str>,
    /// Its addresses; none without a network.
    pub ips: &'a [IpAddr],
    /// Further lines: (name, address). The address `host-gateway` is that of the host.
    pub extra_hosts: &'a [(String, String)],
    /// The host as seen from the container.
    pub gateway: Option<Ipv4Addr>,
}

impl HostsFile<'_> {
    /// The text of the file.
    ///
    /// # Errors
    /// `invalid` when an extra host has no address, or is to be the host where there is no way to it.
    pub fn text(&self) -> Result<String> {
        let mut text = String::from(
            "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\n\
             ff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n",
        );
        text.push_str(&self.extra_lines()?);
        for ip in self.ips {
            let _ = match self.domainname {
                Some(domain) if !domain.is_empty() => {
                    writeln!(text, "{ip}\t{}.{domain} {}", self.hostname, self.hostname)
                }
                _ => writeln!(text, "{ip}\t{}", self.hostname),
            };
        }
        Ok(text)
    }

    /// The lines of the extra hosts alone, to be put after the host's own file.
    pub fn extra_lines(&self) -> Result<String> {
        let mut text = String::new();
        // Users' own lines come first: the first line with a name counts.
        for (name, address) in self.extra_hosts {
            let ip: IpAddr = if address == "host-gateway" {
                let gateway = self.gateway.ok_or_else(|| {
                    Error::invalid(format!("the extra host `{name}` is to be the host, but there is no network to it"))
                })?;
                gateway.into()
            } else {
                address.parse().map_err(|_| {
                    Error::invalid(format!("the extra host `{name}` has no address but `{address}`"))
                        .hint("write it as `name:10.1.2.3` or `name:host-gateway`")
                })?
            };
            let _ = writeln!(text, "{ip}\t{name}");
        }
        if let Some(gateway) = self.gateway {
            let _ = writeln!(text, "{gateway}\t{HOST}");
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_that_a_container_cannot_reach_are_replaced() {
        let plain = ResolvConf::default();
        for (host, expected) in [
            ("nameserver 10.0.0.53\n", "nameserver 10.0.0.53\n"),
            (
                "# made by hand\nsearch a.example\noptions ndots:2\nnameserver 127.0.0.1\nnameserver ::1\nnameserver 10.1.1.1\n",
                "search a.example\noptions ndots:2\nnameserver 10.1.1.1\n",
            ),
            ("nameserver fd00::1\nnameserver 127.0.0.53\n", "nameserver 8.8.8.8\nnameserver 8.8.4.4\n"),
            ("", "nameserver 8.8.8.8\nnameserver 8.8.4.4\n"),
        ] {
            assert_eq!(plain.after(host), expected, "{host}");
        }
    }

    #[test]
    fn dns_options_replace_the_hosts() {
        let host = "search a.example\noptions ndots:2\nnameserver 10.1.1.1\n";
        let dns = ["9.9.9.9".parse().unwrap(), "fd00::9".parse().unwrap()];
        let search = ["b.example".to_owned(), "c.example".to_owned()];
        let both = ResolvConf { dns: &dns, dns_search: &search };
        assert_eq!(
            both.after(host),
            "options ndots:2\nsearch b.example c.example\nnameserver 9.9.9.9\nnameserver fd00::9\n"
        );
        let none = ResolvConf { dns: &[], dns_search: &[".".to_owned()] };
        assert_eq!(none.after(host), "options ndots:2\nnameserver 10.1.1.1\n");
    }

    #[test]
    fn a_resolver_takes_the_place_of_the_hosts_name_servers() {
        let resolver = "127.0.0.11".parse().unwrap();
        let plain = ResolvConf::default();
        assert_eq!(
            plain.with_resolver("search a.example\nnameserver 127.0.0.53\noptions edns0\n", resolver),
            "search a.example\noptions edns0\nnameserver 127.0.0.11\noptions ndots:0\n"
        );
        assert_eq!(plain.with_resolver("options ndots:2\n", resolver), "options ndots:2\nnameserver 127.0.0.11\n");
    }

    #[test]
    fn the_hosts_file_names_the_container_and_its_extra_hosts() {
        let extra = [("db".to_owned(), "10.9.9.9".to_owned()), ("host.internal".to_owned(), "host-gateway".to_owned())];
        let file = HostsFile {
            hostname: "web",
            domainname: Some("example"),
            ips: &[Ipv4Addr::new(10, 200, 0, 2).into()],
            extra_hosts: &extra,
            gateway: Some(Ipv4Addr::new(10, 200, 0, 1)),
        };
        let text = file.text().unwrap();
        assert!(text.starts_with("127.0.0.1\tlocalhost\n"));
        assert!(text.ends_with("10.9.9.9\tdb\n10.200.0.1\thost.internal\n10.200.0.1\thost.docker.internal\n10.200.0.2\tweb.example web\n"), "{text}");
    }

    #[test]
    fn an_extra_host_without_an_address_is_invalid() {
        for (address, gateway) in [("nowhere", Some(Ipv4Addr::LOCALHOST)), ("host-gateway", None)] {
            let extra = [("x".to_owned(), address.to_owned())];
            let file = HostsFile { hostname: "web", extra_hosts: &extra, gateway, ..HostsFile::default() };
            assert!(file.text().unwrap_err().is(crate::error::ErrorKind::Invalid));
        }
    }
}
