//! Published ports: `8080:80`, `127.0.0.1:53:53/udp`, `80`.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// The transport protocol of a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP, the default.
    #[default]
    Tcp,
    /// UDP.
    Udp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

impl FromStr for Protocol {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.to_ascii_lowercase().as_str() {
            "tcp" => Ok(Self::Tcp),
            "udp" => Ok(Self::Udp),
            "sctp" => Err(Error::unsupported("SCTP ports cannot be published").hint("use `tcp` or `udp`")),
            _ => Err(Error::invalid(format!("`{text}` is not a protocol")).hint("use `tcp` or `udp`")),
        }
    }
}

/// What was asked for: one container port to be published.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PortSpec {
    /// Address of the host to listen on; `None`: all of them.
    pub host_ip: Option<IpAddr>,
    /// Port of the host; `None`: a free one is chosen.
    pub host_port: Option<u16>,
    /// Last port of a range that begins at `host_port`: the first free one of them is taken.
    #[serde(default)]
    pub host_port_end: Option<u16>,
    /// Port inside the container, 1 to 65535.
    pub container_port: u16,
    /// TCP or UDP.
    pub protocol: Protocol,
}

/// What was given: a container port and where the host listens for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PublishedPort {
    /// Address of the host; the unspecified address means all of them.
    pub host_ip: IpAddr,
    /// Port of the host.
    pub host_port: u16,
    /// Port inside the container.
    pub container_port: u16,
    /// TCP or UDP.
    pub protocol: Protocol,
}

impl PortSpec {
    /// Reads `[[ADDRESS:]HOST:]CONTAINER[/PROTOCOL]` (docker/go-connections `nat.ParsePortSpec`). Ranges
    /// such as `8000-8002:80-82` give a port each, `8000-8009:80` the first free one; an empty or zero host port is a free
    /// one of all.
    pub fn parse(text: &str) -> Result<Vec<Self>> {
        let bad = |why: String| {
            Error::invalid(format!("`{text}` is not a port to publish: {why}"))
                .hint("write it as `8080:80`, `127.0.0.1:53:53/udp` or `80`")
        };
        let (rest, protocol) = split_protocol(text)?;
        // From the right, since an IPv6 address has colons too.
        let mut parts = rest.rsplitn(3, ':');
        let container = parts.next().unwrap_or_default();
        let host = parts.next().unwrap_or_default();
        let host_ip = match parts.next().unwrap_or_default() {
            "" => None,
            ip => {
                let bare = ip.strip_prefix('[').and_then(|ip| ip.strip_suffix(']')).unwrap_or(ip);
                Some(bare.parse().map_err(|_| bad(format!("`{ip}` is not an address")))?)
            }
        };
        let container = range(container).filter(|range| *range.start() > 0);
        let container = container.ok_or_else(|| bad("the container's port is missing or wrong".into()))?;
        let host = match host {
            "" | "0" => None,
            host => Some(range(host).ok_or_else(|| bad(format!("`{host}` is not a port of the host")))?),
        };
        if let Some(host) = &host
            && host.len() != container.len()
        {
            if container.len() > 1 {
                return Err(bad("the ranges differ in length".into()));
            }
            return Ok(vec![Self {
                host_ip,
                host_port: Some(*host.start()),
                host_port_end: Some(*host.end()),
                container_port: *container.start(),
                protocol,
            }]);
        }
        let host_ports = host.map(|host| host.map(Some).collect::<Vec<_>>());
        Ok(container
            .enumerate()
            .map(|(index, container_port)| Self {
                host_ip,
                host_port: host_ports.as_ref().and_then(|ports| ports[index]),
                host_port_end: None,
                container_port,
                protocol,
            })
            .collect())
    }
}

/// Reads what a container listens on: `80`, `53/udp`, `8080-8082/tcp`.
pub fn parse_expose(text: &str) -> Result<Vec<(u16, Protocol)>> {
    let (ports, protocol) = split_protocol(text)?;
    let ports = range(ports).filter(|range| *range.start() > 0).ok_or_else(|| {
        Error::invalid(format!("`{text}` is not a port")).hint("write it as `80`, `53/udp` or `8080-8082`")
    })?;
    Ok(ports.map(|port| (port, protocol)).collect())
}

fn split_protocol(text: &str) -> Result<(&str, Protocol)> {
    match text.split_once('/') {
        Some((ports, protocol)) => Ok((ports, protocol.parse()?)),
        None => Ok((text, Protocol::Tcp)),
    }
}

fn range(text: &str) -> Option<RangeInclusive<u16>> {
    // `parse` alone would take a sign.
    let port = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u16>().ok())?;
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (port(first)?, port(last)?);
    (first <= last).then_some(first..=last)
}

impl fmt::Display for PublishedPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host_ip, host_port, container_port, protocol } = self;
        match host_ip {
            IpAddr::V4(ip) => write!(f, "{ip}:{host_port}->{container_port}/{protocol}"),
            IpAddr::V6(ip) => write!(f, "[{ip}]:{host_port}->{container_port}/{protocol}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<String> {
        let one = |spec: &PortSpec| {
            let ip = spec.host_ip.map_or("*".into(), |ip| ip.to_string());
            let host = spec.host_port.map_or("free".into(), |port| port.to_string());
            let host = spec.host_port_end.map_or(host.clone(), |end| format!("{host}-{end}"));
            format!("{ip} {host} {}/{}", spec.container_port, spec.protocol)
        };
        Ok(PortSpec::parse(text)?.iter().map(one).collect::<Vec<_>>().join(", "))
    }

    #[test]
    fn ports_are_read_as_docker_reads_them() {
        for (text, expected) in [
            ("80", "* free 80/tcp"),
            ("8080:80", "* 8080 80/tcp"),
            ("8080:80/TCP", "* 8080 80/tcp"),
            ("53:53/udp", "* 53 53/udp"),
            ("0:80", "* free 80/tcp"),
            (":80", "* free 80/tcp"),
            ("127.0.0.1::80", "127.0.0.1 free 80/tcp"),
            ("127.0.0.1:8080:80", "127.0.0.1 8080 80/tcp"),
            ("[::1]:80:8080", "::1 80 8080/tcp"),
            ("::1:80:8080", "::1 80 8080/tcp"),
            ("80-81:8080-8081", "* 80 8080/tcp, * 81 8081/tcp"),
            ("80-80:8080", "* 80 8080/tcp"),
            ("8000-8009:80", "* 8000-8009 80/tcp"),
            ("8080-8081", "* free 8080/tcp, * free 8081/tcp"),
        ] {
            assert_eq!(shown(text).ok().as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_port_is_refused() {
        for text in [
            "",
            "tcp",
            "9999999",
            "80/xyz",
            "80/",
            "80/sctp",
            "0",
            "8080:0",
            "x:80",
            "80:",
            "+1:80",
            "81-80:90-91",
            "80-82:80-81",
            "1.2.3:80:80",
            "[::1:80:80",
            "localhost:80:80",
            "-1:80",
        ] {
            assert!(shown(text).is_err(), "{text}");
        }
    }

    #[test]
    fn exposed_ports_may_be_a_range() {
        assert_eq!(parse_expose("53/udp").ok(), Some(vec![(53, Protocol::Udp)]));
        assert_eq!(parse_expose("80-81").ok(), Some(vec![(80, Protocol::Tcp), (81, Protocol::Tcp)]));
        assert!(parse_expose("NaN/tcp").is_err() && parse_expose("8080-NaN").is_err() && parse_expose("0").is_err());
    }
}
