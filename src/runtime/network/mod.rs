//! Connects a network namespace: links, addresses, routes, published ports. Everything it needs is in
//! a plan; choosing addresses and names is the work of the `network` noun.

mod plan;

pub use plan::{BridgePlan, NetworkPlan};
