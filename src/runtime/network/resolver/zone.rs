//! All that one container can look up without asking anyone.

use super::directory::{Directory, Family, normal};
use std::net::IpAddr;
use std::sync::Arc;

/// The names that a container sees: fixed ones, and those of its networks.
#[derive(Debug, Default)]
pub struct Zone {
    /// Fixed names, which go before all others.
    fixed: Directory,
    networks: Vec<(String, Arc<Directory>)>,
    forwards: bool,
}

impl Zone {
    /// Of fixed names and networks; `forwards` says whether others are asked for everything else.
    pub fn new(hosts: &[(String, IpAddr)], networks: Vec<(String, Arc<Directory>)>, forwards: bool) -> Self {
        let fixed: Vec<_> = hosts
            .iter()
            .map(|(name, address)| super::names::Entry {
                container: String::new(),
                addresses: vec![*address],
                names: vec![name.clone()],
            })
            .collect();
        let networks = networks.into_iter().map(|(name, directory)| (normal(&name), directory)).collect();
        Self { fixed: Directory::of(&fixed), networks, forwards }
    }

    /// Whether others are asked for what it does not know.
    pub fn forwards(&self) -> bool {
        self.forwards
    }

    /// The addresses of a name in lower case; `None` for a name that nobody here has, nothing for one whose addresses
    /// are all of the other family.
    ///
    /// As Docker does it: the first network where the name has addresses answers, and a name is tried as a whole
    /// before a part of it is taken for the network's.
    pub fn addresses(&self, name: &str, family: Family) -> Option<Vec<IpAddr>> {
        if let Some(host) = self.fixed.host(name) {
            return Some(host.addresses(family));
        }
        let mut known = false;
        let whole = (name, None);
        let parts = name.rmatch_indices('.').map(|(dot, _)| (&name[..dot], Some(&name[dot + 1..])));
        for (name, network) in std::iter::once(whole).chain(parts) {
            for (called, directory) in &self.networks {
                if network.is_some_and(|network| network != called) {
                    continue;
                }
                if let Some(host) = directory.host(name) {
                    let addresses = host.addresses(family);
                    if !addresses.is_empty() {
                        return Some(addresses);
                    }
                    known = true;
                }
            }
        }
        known.then(Vec::new)
    }

    /// The name of the container that has an address, and that of the network where it has it.
    pub fn name_of(&self, address: IpAddr) -> Option<(&str, &str)> {
        self.networks
            .iter()
            .find_map(|(network, directory)| directory.name_of(address).map(|name| (name, network.as_str())))
    }
}
