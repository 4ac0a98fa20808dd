//! Cleaning up: plans, and carrying them out.

mod calls;
mod disk_usage;
mod plan;

pub use plan::PrunePlan;
