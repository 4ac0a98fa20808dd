//! From how a container is connected to how it is to be connected: links, the default route, published ports, names.

use super::link;
use super::plan::{BridgePlan, LinkPlan};
use super::published::{publish, withdraw};
use super::resolver::names;
use crate::error::{Error, ErrorKind, Result};
use std::os::fd::BorrowedFd;

/// Connects the namespace as `to` says; `from` is how it is connected now (the default: not at all).
///
/// Names come last, when what they lead to is there. Goes on with taking away after a failure, and reports all of them.
pub fn change(from: &BridgePlan, to: &BridgePlan, netns: BorrowedFd<'_>) -> Result<()> {
    let mut failures = Vec::new();
    let mut note = |result: Result<()>| failures.extend(result.err().map(|error| error.message()));
    for gone in from.links.iter().filter(|link| !has(to, link)) {
        note(forget_names(gone));
    }
    if leads_elsewhere(from, to) {
        note(withdraw(from));
    }
    let (old_way, new_way) = (from.way_out(), to.way_out());
    let way_changes = old_way.map(|link| &link.host_link) != new_way.map(|link| &link.host_link);
    if let Some(old) = old_way.filter(|link| way_changes && has(to, link)) {
        note(link::set_way_out(old, false, netns));
    }
    for gone in from.links.iter().filter(|link| !has(to, link)) {
        note(link::remove(gone));
    }
    for new in to.links.iter().filter(|link| !has(from, link)) {
        link::add(new, new_way.is_some_and(|way| way.host_link == new.host_link), netns)?;
    }
    if let Some(new) = new_way.filter(|link| way_changes && has(from, link)) {
        link::set_way_out(new, true, netns)?;
    }
    if leads_elsewhere(from, to) {
        publish(to)?;
    }
    for link in &to.links {
        let known = from.links.iter().find(|old| old.host_link == link.host_link);
        if known.is_none_or(|old| old.names != link.names) {
            tell_names(link)?;
        }
    }
    if failures.is_empty() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Io, format!("not everything could be taken away: {}", failures.join("; "))))
}

/// Takes back what does not end with the namespace: published ports and names.
pub fn detach(plan: &BridgePlan) -> Result<()> {
    let mut result = withdraw(plan);
    for link in &plan.links {
        result = result.and(forget_names(link));
    }
    result
}

/// Others find the container by its names from now on.
pub fn tell_names(link: &LinkPlan) -> Result<()> {
    let Some(plan) = &link.names else { return Ok(()) };
    let entry = names::Entry {
        container: plan.container.clone(),
        addresses: link.addresses.iter().map(|address| address.ip).collect(),
        names: plan.names.clone(),
    };
    names::put(&plan.file, &entry)
}

/// They do not any more.
pub fn forget_names(link: &LinkPlan) -> Result<()> {
    match &link.names {
        Some(plan) => names::remove(&plan.file, &plan.container),
        None => Ok(()),
    }
}

fn has(plan: &BridgePlan, link: &LinkPlan) -> bool {
    plan.links.iter().any(|other| other.host_link == link.host_link)
}

fn leads_elsewhere(from: &BridgePlan, to: &BridgePlan) -> bool {
    let ways = [from, to].map(|plan| plan.way_out().map(|link| &link.addresses));
    from.ports != to.ports || ways[0] != ways[1] || from.table != to.table
}
