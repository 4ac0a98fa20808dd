//! `state`: what a container does now.

use super::container::{Container, Record, Status};
use super::print_json;
use crate::error::Result;
use std::path::Path;

/// Writes it to standard output.
pub fn run(root: &Path, id: &str) -> Result<()> {
    let container = Container::load(root, id)?;
    print_json(&full(&container, container.status()?))
}

/// The state of the specification, and what runc adds.
pub fn full(container: &Container, status: Status) -> serde_json::Value {
    let Record { rootfs, created, owner, .. } = &container.record;
    let mut state = container.state(status);
    state["rootfs"] = serde_json::json!(rootfs);
    state["created"] = serde_json::json!(created);
    state["owner"] = serde_json::json!(owner);
    state
}
