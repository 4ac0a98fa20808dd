//! `container.wait()` and `wait([…])`.

use super::Container;
use crate::error::Result;
use crate::script::api::deadline::within;
use crate::script::binding::{Call, Options, api};
use std::cell::Cell;
use std::time::Duration;

/// Options of `wait`.
#[derive(Default, Options)]
pub struct WaitOptions {
    /// Gives up after this time.
    pub timeout: Option<Duration>,
}

#[api]
impl Container {
    /// Waits until it has ended; gives the exit code, whatever it is.
    ///
    /// # Example (engine)
    /// let code = container("job").wait(#{ timeout: "10m" });
    ///
    /// # Errors
    /// `timeout`, `not_found`.
    pub fn wait(&self, call: &Call, options: WaitOptions) -> Result<i32> {
        let (engine, reference) = (call.engine()?, self.reference());
        within(&call.context(), options.timeout, || what_ends(reference), |cx| engine.wait(cx, reference))
    }
}

/// Waits until all have ended; gives their exit codes in the same order.
///
/// # Example (engine)
/// let codes = wait(containers(#{ label: "batch" }));
///
/// # Errors
/// `timeout`, `not_found`.
#[api]
pub fn wait(call: &Call, containers: Vec<Container>, options: WaitOptions) -> Result<Vec<i32>> {
    let engine = call.engine()?;
    let waiting = Cell::new("");
    within(
        &call.context(),
        options.timeout,
        || what_ends(waiting.get()),
        |cx| {
            let mut codes = Vec::new();
            for container in &containers {
                waiting.set(container.reference());
                codes.push(engine.wait(cx, container.reference())?);
            }
            Ok(codes)
        },
    )
}

fn what_ends(reference: &str) -> String {
    format!("container `{reference}`")
}
