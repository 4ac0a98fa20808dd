//! The names of one network, ready to be looked up.

use super::names::{self, Entry};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Which addresses are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4: records of type A.
    V4,
    /// IPv6: records of type AAAA.
    V6,
}

/// The names of one network.
#[derive(Debug, Default)]
pub struct Directory {
    hosts: HashMap<String, Host>,
    names: HashMap<IpAddr, String>,
}

/// Who has one name.
#[derive(Debug, Default)]
pub struct Host {
    v4: Turning,
    v6: Turning,
}

/// Addresses whose order turns.
#[derive(Debug, Default)]
struct Turning {
    addresses: Vec<IpAddr>,
    turn: AtomicUsize,
}

impl Directory {
    /// Of the entries of a network.
    pub fn of(entries: &[Entry]) -> Self {
        let mut directory = Self::default();
        for entry in entries {
            for name in &entry.names {
                directory.hosts.entry(normal(name)).or_default().add(&entry.addresses);
            }
            for address in &entry.addresses {
                if let Some(name) = entry.names.first() {
                    directory.names.entry(*address).or_insert_with(|| name.clone());
                }
            }
        }
        // Each container asks a process of its own: did all begin with the first address, it would get most of the work.
        let random = RandomState::new().hash_one(0) as usize;
        for host in directory.hosts.values_mut() {
            host.v4.turn = random.into();
            host.v6.turn = random.into();
        }
        directory
    }

    /// Of the text of a network's file.
    pub fn parse(text: &[u8]) -> Option<Self> {
        names::parse(text).map(|entries| Self::of(&entries))
    }

    /// Who has a name, which is in lower case.
    pub fn host(&self, name: &str) -> Option<&Host> {
        self.hosts.get(name)
    }

    /// What the container with an address is called.
    pub fn name_of(&self, address: IpAddr) -> Option<&str> {
        self.names.get(&address).map(String::as_str)
    }
}

impl Host {
    fn add(&mut self, addresses: &[IpAddr]) {
        for address in addresses {
            let known = if address.is_ipv4() { &mut self.v4.addresses } else { &mut self.v6.addresses };
            if !known.contains(address) {
                known.push(*address);
            }
        }
    }

    /// All addresses of a family, each time another one first.
    pub fn addresses(&self, family: Family) -> Vec<IpAddr> {
        // A turn for each family: who asks for both would otherwise see every second one only.
        let turning = match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        };
        let mut addresses = turning.addresses.clone();
        if addresses.len() > 1 {
            let turn = turning.turn.fetch_add(1, Ordering::Relaxed) % addresses.len();
            addresses.rotate_left(turn);
        }
        addresses
    }
}

/// A name as it is looked up: in lower case, without the dot at its end.
pub fn normal(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_comes_first_as_often_as_the_others() {
        let entry = |number: u8| Entry {
            container: number.to_string(),
            addresses: vec![[10, 0, 0, number].into(), IpAddr::from([number.into(), 0, 0, 0, 0, 0, 0, 1])],
            names: vec![format!("web-{number}"), "Web".into()],
        };
        let directory = Directory::of(&[entry(1), entry(2), entry(3)]);
        let host = directory.host("web").unwrap();
        let mut first = HashMap::new();
        for _ in 0..30 {
            // As a C library does: one question for each family.
            let addresses = host.addresses(Family::V4);
            assert_eq!(addresses.len(), 3);
            *first.entry(addresses[0]).or_insert(0) += 1;
            assert_eq!(host.addresses(Family::V6).len(), 3);
        }
        assert_eq!(first.values().collect::<Vec<_>>(), [&10; 3]);
        assert_eq!(directory.name_of([10, 0, 0, 2].into()), Some("web-2"));
    }
}
