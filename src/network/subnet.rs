//! Subnets: which addresses a network has.

use crate::error::{Error, Result};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// Its first address, which names it.
    pub first: IpAddr,
    /// Length of its prefix.
    pub prefix: u8,
}

impl Subnet {
    /// The subnet that an address is in.
    pub fn holding(ip: IpAddr, prefix: u8) -> Self {
        let whole = Self { first: ip, prefix };
        Self { first: whole.at(number(ip) & whole.mask()), prefix }
    }

    /// Whether it is one of IPv4.
    pub fn is_ipv4(self) -> bool {
        self.first.is_ipv4()
    }

    /// The second address: the bridge's, unless another one is asked for.
    pub fn default_gateway(self) -> IpAddr {
        self.at(number(self.first) + 1)
    }

    /// How many addresses can be given out: all but the subnet's own and the broadcast. The gateway is one of them.
    pub fn capacity(self) -> u64 {
        let size = 1u128 << self.host_bits().min(63);
        (size - 2) as u64
    }

    /// The address with this number; numbers go round.
    pub fn address(self, index: u64) -> IpAddr {
        self.at(number(self.first) + 1 + u128::from(index % self.capacity()))
    }

    /// How far an address is from the first one.
    pub fn offset(self, ip: IpAddr) -> u128 {
        number(ip).wrapping_sub(number(self.first))
    }

    /// The address so far from the first one.
    pub fn at_offset(self, offset: u128) -> IpAddr {
        self.at(number(self.first) + offset)
    }

    /// Whether an address can be a container's or the gateway: it is in the subnet, and neither its own nor the broadcast.
    pub fn has(self, ip: IpAddr) -> bool {
        let last = number(self.first) | !self.mask() & self.all_ones();
        ip.is_ipv4() == self.is_ipv4()
            && Self::holding(ip, self.prefix) == self
            && ip != self.first
            && (!self.is_ipv4() || number(ip) != last)
    }

    /// Whether two subnets have an address in common.
    pub fn overlaps(self, other: Self) -> bool {
        let shorter = self.prefix.min(other.prefix);
        self.is_ipv4() == other.is_ipv4() && Self::holding(self.first, shorter) == Self::holding(other.first, shorter)
    }

    fn host_bits(self) -> u32 {
        self.bits() - u32::from(self.prefix)
    }

    fn bits(self) -> u32 {
        if self.is_ipv4() { 32 } else { 128 }
    }

    fn all_ones(self) -> u128 {
        if self.is_ipv4() { u128::from(u32::MAX) } else { u128::MAX }
    }

    fn mask(self) -> u128 {
        u128::MAX.checked_shl(self.host_bits()).unwrap_or(0) & self.all_ones()
    }

    fn at(self, number: u128) -> IpAddr {
        if self.is_ipv4() { Ipv4Addr::from(number as u32).into() } else { Ipv6Addr::from(number).into() }
    }
}

fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u128::from(u32::from(ip)),
        IpAddr::V6(ip) => u128::from(ip),
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
        let bad =
            || Error::invalid(format!("`{text}` is not a subnet")).hint("write it as `10.200.0.0/16` or `fd00:1::/64`");
        let (first, prefix) = text.split_once('/').ok_or_else(bad)?;
        let subnet = Self { first: first.parse().map_err(|_| bad())?, prefix: prefix.parse().map_err(|_| bad())? };
        // Smaller ones have no room for a gateway and a container; larger ones are whole parts of the Internet.
        let sizes = if subnet.is_ipv4() { 8..=29 } else { 16..=124 };
        if !sizes.contains(&subnet.prefix) {
            let (shortest, longest) = (sizes.start(), sizes.end());
            return Err(Error::invalid(format!("a network cannot have the subnet `{text}`"))
                .hint(format!("its prefix can be /{shortest} to /{longest}")));
        }
        let whole = Self::holding(subnet.first, subnet.prefix);
        if whole != subnet {
            return Err(Error::invalid(format!("`{text}` does not begin at the first address of its subnet"))
                .hint(format!("write it as `{whole}`")));
        }
        Ok(subnet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(text: &str) -> Subnet {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_go_round_and_leave_out_what_nobody_can_have() {
        let small = subnet("10.1.2.8/29");
        let all: Vec<String> = (0..7).map(|number| small.address(number).to_string()).collect();
        assert_eq!(small.default_gateway().to_string(), "10.1.2.9");
        assert_eq!((all[0].as_str(), all[5].as_str(), all[6].as_str()), ("10.1.2.9", "10.1.2.14", "10.1.2.9"));
        let six = subnet("fd00:1::/64");
        assert_eq!(six.at_offset(258).to_string(), "fd00:1::102");
        assert_eq!(six.offset("fd00:1::102".parse().unwrap()), 258);
    }

    #[test]
    fn an_address_is_in_its_subnet_or_not() {
        for (net, ip, expected) in [
            ("10.1.2.0/24", "10.1.2.1", true),
            ("10.1.2.0/24", "10.1.2.0", false),
            ("10.1.2.0/24", "10.1.2.255", false),
            ("10.1.2.0/24", "10.1.3.1", false),
            ("10.1.2.0/24", "fd00::1", false),
            ("fd00::/64", "fd00::1", true),
            ("fd00::/64", "fd00::", false),
            ("fd00::/64", "fd00:0:0:1::1", false),
        ] {
            assert_eq!(subnet(net).has(ip.parse().unwrap()), expected, "{net} {ip}");
        }
    }

    #[test]
    fn subnets_overlap_when_one_holds_the_other() {
        for (one, other, expected) in [
            ("10.0.0.0/8", "10.1.0.0/16", true),
            ("10.1.0.0/16", "10.0.0.0/8", true),
            ("10.1.0.0/16", "10.2.0.0/16", false),
            ("fd00::/16", "fd00:1::/64", true),
            ("10.0.0.0/8", "fd00::/64", false),
        ] {
            assert_eq!(subnet(one).overlaps(subnet(other)), expected, "{one} {other}");
        }
    }

    #[test]
    fn what_is_no_subnet_is_refused_with_the_right_one_where_there_is_one() {
        for text in ["", "10.0.0.0", "10.0.0.0/33", "10.0.0.0/30", "x/16", "0.0.0.0/0", "fd00::/8", "fd00::/127"] {
            assert!(text.parse::<Subnet>().is_err(), "{text}");
        }
        let error = "10.0.0.1/16".parse::<Subnet>().unwrap_err();
        assert_eq!(error.hint_text(), Some("write it as `10.0.0.0/16`"));
    }
}
