//! `container.wait()` and `wait([…])`.

use super::Container;
use crate::error::Result;
use crate::script::binding::{Call, Options, api};
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
        let cx = call.context().with_timeout(options.timeout);
        call.engine()?.wait(&cx, self.reference())
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
    let (engine, cx) = (call.engine()?, call.context().with_timeout(options.timeout));
    containers.iter().map(|container| engine.wait(&cx, container.reference())).collect()
}
