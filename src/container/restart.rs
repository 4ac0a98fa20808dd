//! Stops a container and starts it again.

use super::launch::{self, Cause};
use super::row::Row;
use super::stop;
use crate::context::Context;
use crate::error::Result;
use crate::store::Store;
use std::time::Duration;

/// Stops it as [`stop::stop`] does, if it runs, and starts it; the monitor that does so writes the event down, behind
/// those of the end and the start.
pub fn restart(store: &Store, cx: &Context, row: Row, timeout: Option<Duration>) -> Result<()> {
    stop::stop(store, cx, row.clone(), timeout)?;
    launch::start(store, cx, row, Cause::Restart)
}
