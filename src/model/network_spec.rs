//! Networks: what is asked for, and how a container is connected to one.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What `create_network` takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkSpec {
    /// Its name.
    pub name: String,
    /// Subnets, one of IPv4, one of IPv6 at most; where there is none one is chosen.
    pub subnets: Vec<String>,
    /// Addresses of the bridge; where there is none it is the first of the subnet.
    pub gateways: Vec<IpAddr>,
    /// Nothing leads out of it.
    pub internal: bool,
    /// It has IPv6 addresses, too.
    pub ipv6: bool,
    /// Largest packet, bytes; `None`: the host's route's.
    pub mtu: Option<u32>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// What is known about a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NetworkInfo {
    /// Its id, 64 hexadecimal digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `bridge`, `host` or `null`.
    pub driver: String,
    /// Its subnets, IPv4 first; none until the default network was used once.
    pub subnets: Vec<String>,
    /// The addresses of its bridge.
    pub gateways: Vec<String>,
    /// Nothing leads out of it.
    pub internal: bool,
    /// It has IPv6 addresses, too.
    pub ipv6: bool,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// When it was made; `None`: it always was there.
    pub created: Option<jiff::Timestamp>,
    /// Names of the containers that are connected or will be when they start.
    pub containers: Vec<String>,
}

/// Which networks.
#[derive(Clone, Debug, Default)]
pub struct NetworkFilter {
    /// A part of their name or the beginning of their id.
    pub name: Option<String>,
    /// Labels that they must have; an empty value matches any.
    pub labels: Vec<(String, String)>,
    /// `bridge`, `host` or `null`.
    pub driver: Option<String>,
    /// Those that no container uses, or only those that one does.
    pub dangling: Option<bool>,
}

/// How a container is connected to a network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "WrittenAttachment")]
pub struct NetworkAttachment {
    /// Name of the network, or `none`, `host`, `container:NAME`.
    pub network: String,
    /// Names under which others in the network find the container, besides its own.
    pub aliases: Vec<String>,
    /// Its address; `None`: a free one.
    pub ip: Option<Ipv4Addr>,
    /// Its IPv6 address; `None`: a free one.
    pub ip6: Option<Ipv6Addr>,
}

impl NetworkAttachment {
    /// By the network's name alone.
    pub fn to(network: impl Into<String>) -> Self {
        Self { network: network.into(), ..Self::default() }
    }
}

/// As it is written down; an older Shanty wrote the name alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenAttachment {
    Name(String),
    Whole {
        network: String,
        #[serde(default)]
        aliases: Vec<String>,
        ip: Option<Ipv4Addr>,
        ip6: Option<Ipv6Addr>,
    },
}

impl From<WrittenAttachment> for NetworkAttachment {
    fn from(written: WrittenAttachment) -> Self {
        match written {
            WrittenAttachment::Name(name) => Self::to(name),
            WrittenAttachment::Whole { network, aliases, ip, ip6 } => Self { network, aliases, ip, ip6 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_alone_is_an_attachment_too() {
        let old: Vec<NetworkAttachment> = serde_json::from_str(r#"["host"]"#).unwrap();
        assert_eq!(old, [NetworkAttachment::to("host")]);
        let whole = NetworkAttachment { ip: Some(Ipv4Addr::LOCALHOST), ..NetworkAttachment::to("n1") };
        let text = serde_json::to_string(&whole).unwrap();
        assert_eq!(serde_json::from_str::<NetworkAttachment>(&text).unwrap(), whole);
    }
}
