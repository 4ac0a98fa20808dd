//! Subnets: which addresses a network has, and which are free for a new one.

use crate::error::{Error, Result};
use crate::sys::netlink::RouteEntry;
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// A range of IPv4 addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// Its first address, which names it.
    pub first: Ipv4Addr,
    /// Length of its prefix.
    pub prefix: u8,
}

impl Subnet {
    /// The second address is the bridge's: the containers' gateway.
    pub fn gateway(self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.first) + 1)
    }

    /// How many addresses containers can have: all but the subnet's own, the gateway and the broadcast.
    pub fn capacity(self) -> u32 {
        (self.size() - 3) as u32
    }

    /// The container address with this number; numbers go round.
    pub fn address(self, number: u64) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.first) + 2 + (number % u64::from(self.capacity())) as u32)
    }

    fn size(self) -> u64 {
        1 << (32 - self.prefix)
    }

    fn overlaps(self, other: Self) -> bool {
        let shorter = self.prefix.min(other.prefix);
        let mask = u32::MAX.checked_shl(32 - u32::from(shorter)).unwrap_or(0);
        u32::from(self.first) & mask == u32::from(other.first) & mask
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

impl FromStr for Subnet {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = || Error::invalid(format!("`{text}` is not a subnet")).hint("write it as `10.200.0.0/16`");
        let (first, prefix) = text.split_once('/').ok_or_else(bad)?;
        let subnet = Self { first: first.parse().map_err(|_| bad())?, prefix: prefix.parse().map_err(|_| bad())? };
        // Smaller ones have no room for a gateway and a container.
        if !(8..=29).contains(&subnet.prefix) || !u64::from(u32::from(subnet.first)).is_multiple_of(subnet.size()) {
            return Err(bad());
        }
        Ok(subnet)
    }
}

/// Chooses a subnet that no route of the host leads into: the one it `had`, or one of the private
/// ranges, at a place that depends on `seed` so that roots rarely want the same.
pub fn choose(had: Option<Subnet>, seed: &str, routes: &[RouteEntry]) -> Result<Subnet> {
    let ranges = candidates();
    let start = u32::from_str_radix(seed, 16).unwrap_or(0) as usize % RANGES_OF_10;
    let (of_10, others) = ranges.split_at(RANGES_OF_10);
    had.into_iter()
        .chain(of_10.iter().cycle().skip(start).take(of_10.len()).copied())
        .chain(others.iter().copied())
        .find(|candidate| !routes.iter().any(|route| leads_into(route, *candidate)))
        .ok_or_else(|| {
            Error::conflict("every private address range is in use by a route of this host")
                .hint("free one of `10.200.0.0/16`, `172.16.0.0/16` or `192.168.0.0/20`: see `ip route`")
        })
}

/// How many candidates are in 10.0.0.0/8: 10.200 to 10.255, away from the low ones that people and
/// other engines (podman: 10.88) take.
const RANGES_OF_10: usize = 56;

fn candidates() -> Vec<Subnet> {
    let of_10 = (200..=255).map(|second| (Ipv4Addr::new(10, second, 0, 0), 16));
    let of_172 = (16..=31).map(|second| (Ipv4Addr::new(172, second, 0, 0), 16));
    let of_192 = (0..16).map(|third| (Ipv4Addr::new(192, 168, third * 16, 0), 20));
    of_10.chain(of_172).chain(of_192).map(|(first, prefix)| Subnet { first, prefix }).collect()
}

fn leads_into(route: &RouteEntry, subnet: Subnet) -> bool {
    // Shorter ones are default routes in disguise: VPNs use 0.0.0.0/1 and 128.0.0.0/1.
    const SHORTEST: u8 = 8;
    route.prefix >= SHORTEST && subnet.overlaps(Subnet { first: route.destination, prefix: route.prefix })
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

    fn subnet(text: &str) -> Subnet {
        text.parse().unwrap()
    }

    #[test]
    fn the_chosen_subnet_avoids_the_hosts_routes() {
        for (seed, routes, expected) in [
            ("00000000", &["0.0.0.0/0", "192.0.2.0/24"][..], "10.200.0.0/16"),
            ("00000001", &["0.0.0.0/1", "128.0.0.0/1"][..], "10.201.0.0/16"),
            ("00000000", &["10.200.4.0/24"][..], "10.201.0.0/16"),
            ("00000037", &["10.255.1.1/32"][..], "10.200.0.0/16"),
            ("00000000", &["10.0.0.0/8", "172.16.0.0/16"][..], "172.17.0.0/16"),
            ("00000000", &["10.0.0.0/8", "172.16.0.0/12"][..], "192.168.0.0/20"),
        ] {
            let routes: Vec<_> = routes.iter().map(|text| route(text)).collect();
            assert_eq!(choose(None, seed, &routes).unwrap().to_string(), expected, "{seed} {routes:?}");
        }
    }

    #[test]
    fn a_subnet_is_kept_while_it_is_free() {
        let had = subnet("10.222.0.0/16");
        assert_eq!(choose(Some(had), "00000000", &[]).unwrap(), had);
        assert_ne!(choose(Some(had), "00000000", &[route("10.222.3.0/24")]).unwrap(), had);
    }

    #[test]
    fn no_free_range_is_a_conflict() {
        let all = [route("10.0.0.0/8"), route("172.16.0.0/12"), route("192.168.0.0/16")];
        assert!(choose(None, "00000000", &all).unwrap_err().is(crate::error::ErrorKind::Conflict));
    }

    #[test]
    fn addresses_go_round_and_leave_out_what_is_not_a_containers() {
        let small = subnet("10.1.2.8/29");
        let all: Vec<_> = (0..6).map(|number| small.address(number).octets()[3]).collect();
        assert_eq!((small.gateway().octets()[3], all), (9, vec![10, 11, 12, 13, 14, 10]));
    }

    #[test]
    fn what_is_no_subnet_is_refused() {
        for text in ["", "10.0.0.0", "10.0.0.1/16", "10.0.0.0/33", "10.0.0.0/30", "x/16", "0.0.0.0/0"] {
            assert!(text.parse::<Subnet>().is_err(), "{text}");
        }
    }
}
