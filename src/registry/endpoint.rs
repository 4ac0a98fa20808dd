//! Where a registry is spoken to, and whether with TLS.

use crate::error::{Error, Result};
use crate::model::Reference;
use std::net::IpAddr;
use url::{Host, Url};

/// Docker Hub's API does not live under the name that references use.
const DOCKER_HUB_API: &str = "registry-1.docker.io";

/// The base of a registry's API: scheme, host and port.
pub(super) fn base(registry: &str, tls: bool) -> Result<Url> {
    let host = if registry == Reference::DEFAULT_REGISTRY { DOCKER_HUB_API } else { registry };
    let scheme = if tls { "https" } else { "http" };
    Url::parse(&format!("{scheme}://{host}/"))
        .ok()
        .filter(|url| url.path() == "/" && url.query().is_none() && url.username().is_empty())
        .ok_or_else(|| {
            Error::invalid(format!("`{registry}` is not a registry")).hint("write it as `host` or `host:port`")
        })
}

/// Whether the address is this machine itself, where nobody can listen in between.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::from(ip).to_canonical().is_loopback(),
        None => false,
    }
}

/// Host and port as people write them, for messages.
pub(super) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or("?");
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_hub_has_an_api_host_of_its_own() {
        assert_eq!(base("docker.io", true).unwrap().as_str(), "https://registry-1.docker.io/");
        assert_eq!(base("127.0.0.1:5000", false).unwrap().as_str(), "http://127.0.0.1:5000/");
        assert!(base("user@host", true).is_err() && base("host/path", true).is_err() && base("a b", true).is_err());
    }

    #[test]
    fn loopback_is_told_from_lookalikes() {
        let cases = [
            ("127.0.0.1:5000", true),
            ("127.8.9.1", true),
            ("[::1]:5000", true),
            ("[::ffff:127.0.0.1]:5000", true),
            ("localhost:5000", true),
            ("localhost.example", false),
            ("127.0.0.1.example", false),
            ("10.0.0.1", false),
            ("[fc00::1]", false),
        ];
        for (registry, expected) in cases {
            assert_eq!(is_loopback(&base(registry, false).unwrap()), expected, "{registry}");
        }
    }
}
