//! Gets along with a host that forwards nothing by default, as Docker and `ufw` set it up: a packet has
//! to be accepted by their chain as well as by ours.

use super::{firewall, host_lock, link_prefix, table_name};
use crate::error::Result;
use crate::privilege::Privilege;
use crate::store::Store;
use crate::sys::netlink::Refusal;
use crate::sys::nft::{Batch, Family, Interface, ListedRule, NftSocket, Rule};
use nix::errno::Errno;

/// Where `iptables` and `ip6tables` (in their nftables form) have the chain of the kernel's forward hook.
const TABLE: &str = "filter";
const FAMILIES: [Family; 2] = [Family::Ipv4, Family::Ipv6];
const FORWARD: &str = "FORWARD";
/// The chain that Docker calls first and leaves to others.
const DOCKER_USER: &str = "DOCKER-USER";

/// Lets the containers of this root through where the host's policy is to drop. Our own table still
/// decides what may reach them.
pub fn admit(store: &Store) -> Result<()> {
    if missing(store)?.is_empty() {
        return Ok(());
    }
    let _lock = host_lock::hold()?;
    admit_locked(store)
}

/// The same, for a caller that holds the lock of the host's network.
pub fn admit_locked(store: &Store) -> Result<()> {
    for (family, chain) in missing(store)? {
        NftSocket::with(|nft| nft.commit(rules(store, family, chain)).map_err(doing))?;
    }
    Ok(())
}

/// In the home of an ordinary user's networks are no rules but ours.
fn has_policy() -> bool {
    !Privilege::current().is_rootless() && firewall::is_available()
}

/// The chains that our rules are missing from.
fn missing(store: &Store) -> Result<Vec<(Family, &'static str)>> {
    if !has_policy() {
        return Ok(Vec::new());
    }
    NftSocket::with(|nft| {
        let mut missing = Vec::new();
        for family in FAMILIES {
            missing.extend(needs_rules(store, nft, family).map_err(doing)?.map(|chain| (family, chain)));
        }
        Ok(missing)
    })
}

/// The rules that let the containers of this root through, at the start of a chain.
fn rules(store: &Store, family: Family, chain: &str) -> Batch {
    let links = link_prefix(store);
    let ours = Interface::StartsWith(&links);
    let mut rules = Vec::new();
    if chain == DOCKER_USER {
        // Docker goes on to decide who reaches its own containers.
        for theirs in ["docker", "br-"] {
            rules.push(Rule::new().input(ours).output(Interface::StartsWith(theirs)).counted().return_to_caller());
        }
    }
    rules.push(Rule::new().input(ours).counted().accept());
    rules.push(Rule::new().output(ours).counted().accept());

    let mut batch = Batch::of(family);
    // Each goes to the start of the chain, so the last one is put there first.
    for rule in rules.iter().rev() {
        batch.insert_rule(TABLE, chain, rule, &table_name(store));
    }
    batch
}

/// Takes back what [`admit`] did.
pub fn withdraw(store: &Store) -> Result<()> {
    if !has_policy() {
        return Ok(());
    }
    NftSocket::with(|nft| {
        for (family, chain) in FAMILIES.into_iter().flat_map(|family| [(family, DOCKER_USER), (family, FORWARD)]) {
            let rules = nft.rules(family, TABLE, chain).map_err(doing)?;
            let mut batch = Batch::of(family);
            for rule in rules.iter().filter(|rule| is_ours(store, rule)) {
                batch.delete_rule(TABLE, chain, rule.handle);
            }
            match nft.commit(batch) {
                // Docker or a person took them away at the same time.
                Err(refusal) if refusal.errno != Errno::ENOENT => return Err(doing(refusal)),
                _ => {}
            }
        }
        Ok(())
    })
}

/// The chain that our rules are missing from, where there is a need for them.
fn needs_rules(store: &Store, nft: &mut NftSocket, family: Family) -> Result<Option<&'static str>, Refusal> {
    if nft.chain_drops(family, TABLE, FORWARD)? != Some(true) {
        return Ok(None);
    }
    let has_docker = nft.chain_drops(family, TABLE, DOCKER_USER)?.is_some();
    let chain = if has_docker { DOCKER_USER } else { FORWARD };
    let there = nft.rules(family, TABLE, chain)?.iter().any(|rule| is_ours(store, rule));
    Ok((!there).then_some(chain))
}

fn is_ours(store: &Store, rule: &ListedRule) -> bool {
    rule.comment.as_deref() == Some(&table_name(store))
}

fn doing(refusal: Refusal) -> crate::error::Error {
    refusal.doing("cannot change the host's forward policy")
}
