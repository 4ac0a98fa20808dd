//! Published ports: `8080:80`, `127.0.0.1:53:53/udp`, `80`.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;

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

/// What was asked for: one container port to be published.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PortSpec {
    /// Address of the host to listen on; `None`: all of them.
    pub host_ip: Option<IpAddr>,
    /// Port of the host; `None`: a free one is chosen.
    pub host_port: Option<u16>,
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
