//! Connects a network namespace: links, addresses, routes, published ports. Everything it needs is in
//! a plan; choosing addresses and names is the work of the `network` noun.
//!
//! [`attach`] enters the namespace and returns: call it on the only thread of a process, or on a
//! thread of its own, never on one of a pool.

mod bridge;
mod plan;
pub mod proxy;
mod published;
pub mod resolver;

pub use bridge::INTERFACE;
pub use plan::{BridgePlan, NetworkPlan};
pub use published::{entry, publish, withdraw};

use crate::error::Result;
use crate::sys::netlink::{LOOPBACK, RouteSocket};
use crate::sys::netns;
use std::os::fd::BorrowedFd;

/// Connects a fresh network namespace as planned. Links end with the namespace, so after a failure
/// there is nothing to take back but the namespace itself.
pub fn attach(plan: &NetworkPlan, netns: BorrowedFd<'_>) -> Result<()> {
    match plan {
        NetworkPlan::Host | NetworkPlan::Joined => Ok(()),
        NetworkPlan::None => netns::inside(netns, || {
            RouteSocket::open()?.set_up(LOOPBACK).map_err(|refusal| refusal.doing("cannot bring loopback up"))
        }),
        NetworkPlan::Bridge(plan) => bridge::attach(plan, netns),
    }
}

/// Takes back what does not end with the namespace: the published ports. Succeeds when they are gone
/// already; goes on after a failure and reports all of them.
pub fn detach(plan: &NetworkPlan) -> Result<()> {
    match plan {
        NetworkPlan::Host | NetworkPlan::Joined | NetworkPlan::None => Ok(()),
        NetworkPlan::Bridge(plan) => bridge::detach(plan),
    }
}
