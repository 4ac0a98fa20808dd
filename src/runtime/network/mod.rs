//! Connects a network namespace: links, addresses, routes, published ports, names. Everything it needs is in
//! a plan; choosing addresses and names is the work of the `network` noun.
//!
//! [`attach`] enters the namespace and returns: call it on the only thread of a process, or on a
//! thread of its own, never on one of a pool.

mod change;
mod gate;
mod home;
mod link;
mod plan;
pub mod proxy;
mod published;
pub mod resolver;
mod resolver_sockets;
pub mod uplink;
mod way_out;

pub use home::{find_addresses, in_home, is_severed, is_there, join, kept, leave, make, mend};
pub use link::mac_address;
pub use plan::{BridgePlan, LinkAddress, LinkPlan, NamesPlan, NetworkPlan};
pub use published::{PortEntry, port_entries, publish};
pub use resolver_sockets::{ADDRESS as RESOLVER, open_resolver};
pub use way_out::{Way, WayKind, way_out};

use crate::error::Result;
use crate::sys::netlink::{LOOPBACK, RouteSocket};
use crate::sys::netns;
use std::os::fd::BorrowedFd;

/// Connects a fresh network namespace as planned. Links end with the namespace, so after a failure
/// there is nothing to take back but the namespace itself and what [`detach`] does.
pub fn attach(plan: &NetworkPlan, netns: BorrowedFd<'_>) -> Result<()> {
    match plan {
        NetworkPlan::Host | NetworkPlan::Joined => Ok(()),
        NetworkPlan::Bridge(plan) if !plan.links.is_empty() => change(&BridgePlan::default(), plan, netns),
        NetworkPlan::None | NetworkPlan::Bridge(_) => netns::inside(netns, || {
            RouteSocket::open()?.set_up(LOOPBACK).map_err(|refusal| refusal.doing("cannot bring loopback up"))
        }),
    }
}

/// Connects the namespace as `to` says; `from` is how it is connected now.
pub fn change(from: &BridgePlan, to: &BridgePlan, netns: BorrowedFd<'_>) -> Result<()> {
    join()?;
    in_home(|| change::change(from, to, netns))
}

/// Takes back those of the published ports that lead to this container.
pub fn withdraw(plan: &BridgePlan) -> Result<()> {
    in_home(|| published::withdraw(plan))
}

/// The container's names lead nowhere while it does not run: `false` takes them away, `true` gives them back.
pub fn show_names(plan: &NetworkPlan, shown: bool) -> Result<()> {
    let links = plan.bridge().map_or(&[][..], |plan| &plan.links[..]);
    links.iter().try_for_each(|link| if shown { change::tell_names(link) } else { change::forget_names(link) })
}

/// Takes back what does not end with the namespace: the published ports and names. Succeeds when they are gone
/// already; goes on after a failure.
pub fn detach(plan: &NetworkPlan) -> Result<()> {
    plan.bridge().map_or(Ok(()), |plan| in_home(|| change::detach(plan)))
}
