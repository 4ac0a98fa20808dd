//! Chooses subnets that lead nowhere yet.

use super::Subnet;
use crate::error::{Error, Result};
use crate::sys::netlink::RouteEntry;
use sha2::{Digest, Sha256};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What a new subnet must not touch.
#[derive(Clone, Copy, Debug)]
pub struct Taken<'a> {
    /// Routes of the host.
    pub routes: &'a [RouteEntry],
    /// Subnets of other networks.
    pub subnets: &'a [Subnet],
}

impl Taken<'_> {
    /// What is in the way of a subnet, in words.
    pub fn holder(&self, subnet: Subnet) -> Option<String> {
        if let Some(other) = self.subnets.iter().find(|other| other.overlaps(subnet)) {
            return Some(format!("the subnet `{other}` of another network"));
        }
        let route = self.routes.iter().find(|route| leads_into(route, subnet))?;
        Some(format!("the route `{}/{}` of this host", route.destination, route.prefix))
    }

    fn allows(&self, subnet: Subnet) -> bool {
        self.holder(subnet).is_none()
    }
}

/// A subnet of the default network: the one it `had`, or one of the private
/// ranges, at a place that depends on `seed` so that roots rarely want the same.
pub fn large(had: Option<Subnet>, seed: &str, taken: Taken<'_>) -> Result<Subnet> {
    let ranges = large_candidates();
    let start = u32::from_str_radix(seed, 16).unwrap_or(0) as usize % RANGES_OF_10;
    let (of_10, others) = ranges.split_at(RANGES_OF_10);
    had.into_iter()
        .chain(of_10.iter().cycle().skip(start).take(of_10.len()).copied())
        .chain(others.iter().copied())
        .find(|candidate| taken.allows(*candidate))
        .ok_or_else(|| none_left("free one of `10.200.0.0/16`, `172.16.0.0/16` or `192.168.0.0/20`: see `ip route`"))
}

/// A subnet of a network with a name: room for 4,093 containers; the one it `had`, or one of 1,408, at a place that depends
/// on the network's id.
pub fn small(had: Option<Subnet>, network: &str, taken: Taken<'_>) -> Result<Subnet> {
    let of_10 = (128..200u8).flat_map(|second| (0..16).map(move |third| Ipv4Addr::new(10, second, third * 16, 0)));
    let of_172 = (16..32u8).flat_map(|second| (0..16).map(move |third| Ipv4Addr::new(172, second, third * 16, 0)));
    let all: Vec<Subnet> = of_10.chain(of_172).map(|first| Subnet { first: first.into(), prefix: 20 }).collect();
    let start = usize::from(u16::from_be_bytes([hash(network)[0], hash(network)[1]])) % all.len();
    had.into_iter()
        .chain(all.iter().cycle().skip(start).take(all.len()).copied())
        .find(|candidate| taken.allows(*candidate))
        .ok_or_else(|| none_left("give the network a `subnet`, or remove networks: `prune_networks()`"))
}

/// An IPv6 subnet: of the local ones (RFC 4193), with 40 random bits, which the network's id gives.
pub fn local_ipv6(had: Option<Subnet>, network: &str, taken: Taken<'_>) -> Result<Subnet> {
    let digest = hash(network);
    let candidate = |last: u8| {
        let mut bytes = [0; 16];
        bytes[0] = 0xfd;
        bytes[1..6].copy_from_slice(&digest[..5]);
        bytes[7] = last;
        Subnet { first: IpAddr::V6(Ipv6Addr::from(bytes)), prefix: 64 }
    };
    had.into_iter()
        .chain((0..=u8::MAX).map(candidate))
        .find(|candidate| taken.allows(*candidate))
        .ok_or_else(|| none_left("give the network an IPv6 `subnet`"))
}

fn none_left(hint: &str) -> Error {
    Error::conflict("every private address range is in use by a route of this host or another network").hint(hint)
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// How many candidates of the default network are in 10.0.0.0/8: 10.200 to 10.255, away from the low ones that people and
/// other engines (podman: 10.88) take.
const RANGES_OF_10: usize = 56;

fn large_candidates() -> Vec<Subnet> {
    let of_10 = (200..=255).map(|second| (Ipv4Addr::new(10, second, 0, 0), 16));
    let of_172 = (16..=31).map(|second| (Ipv4Addr::new(172, second, 0, 0), 16));
    let of_192 = (0..16).map(|third| (Ipv4Addr::new(192, 168, third * 16, 0), 20));
    of_10.chain(of_172).chain(of_192).map(|(first, prefix)| Subnet { first: first.into(), prefix }).collect()
}

fn leads_into(route: &RouteEntry, subnet: Subnet) -> bool {
    // Shorter ones are default routes in disguise: VPNs use 0.0.0.0/1 and 128.0.0.0/1, or 2000::/3.
    let shortest = if subnet.is_ipv4() { 8 } else { 9 };
    let same_family = route.destination.is_ipv4() == subnet.is_ipv4();
    same_family
        && route.prefix >= shortest
        && subnet.overlaps(Subnet { first: route.destination, prefix: route.prefix })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(text: &str) -> RouteEntry {
        let (destination, prefix) = text.split_once('/').unwrap();
        RouteEntry {
            destination: destination.parse().unwrap(),
            prefix: prefix.parse().unwrap(),
            link: 2,
            priority: 0,
            mtu: None,
        }
    }

    fn routes(texts: &[&str]) -> Vec<RouteEntry> {
        texts.iter().map(|text| route(text)).collect()
    }

    fn by(routes: &[RouteEntry]) -> Taken<'_> {
        Taken { routes, subnets: &[] }
    }

    fn subnet(text: &str) -> Subnet {
        text.parse().unwrap()
    }

    #[test]
    fn the_chosen_subnet_avoids_the_hosts_routes() {
        for (seed, texts, expected) in [
            ("00000000", &["0.0.0.0/0", "192.0.2.0/24"][..], "10.200.0.0/16"),
            ("00000001", &["0.0.0.0/1", "128.0.0.0/1"][..], "10.201.0.0/16"),
            ("00000000", &["10.200.4.0/24"][..], "10.201.0.0/16"),
            ("00000037", &["10.255.1.1/32"][..], "10.200.0.0/16"),
            ("00000000", &["10.0.0.0/8", "172.16.0.0/16"][..], "172.17.0.0/16"),
            ("00000000", &["10.0.0.0/8", "172.16.0.0/12"][..], "192.168.0.0/20"),
        ] {
            assert_eq!(large(None, seed, by(&routes(texts))).unwrap().to_string(), expected, "{seed} {texts:?}");
        }
    }

    #[test]
    fn a_subnet_is_kept_while_it_is_free() {
        let had = subnet("10.222.0.0/16");
        assert_eq!(large(Some(had), "00000000", by(&[])).unwrap(), had);
        assert_ne!(large(Some(had), "00000000", by(&routes(&["10.222.3.0/24"]))).unwrap(), had);
    }

    #[test]
    fn no_free_range_is_a_conflict() {
        let all = routes(&["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]);
        for chosen in [large(None, "00000000", by(&all)), small(None, "x", by(&all))] {
            assert!(chosen.unwrap_err().is(crate::error::ErrorKind::Conflict));
        }
    }

    #[test]
    fn networks_with_names_never_share_a_subnet() {
        let mut subnets = Vec::new();
        for _ in 0..100 {
            let chosen = small(None, "the same id", Taken { routes: &[], subnets: &subnets }).unwrap();
            assert!(!subnets.contains(&chosen));
            subnets.push(chosen);
        }
        let six = local_ipv6(None, "a", by(&[])).unwrap();
        assert!(six.to_string().starts_with("fd") && six.prefix == 64);
        assert_ne!(local_ipv6(None, "a", Taken { routes: &[], subnets: &[six] }).unwrap(), six);
    }
}
