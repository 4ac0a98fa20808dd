//! `container.wait()` and `wait([…])`.

use super::Container;
use crate::error::{ErrorKind, Result};
use crate::model::Status;
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

/// Waits until all have ended; gives their exit codes in the same order. One that was never started, or does not exist,
/// is an error at once.
///
/// # Example (engine)
/// let codes = wait(containers(#{ label: "batch" }));
///
/// # Errors
/// `timeout`, `not_found`.
#[api]
pub fn wait(call: &Call, containers: Vec<Container>, options: WaitOptions) -> Result<Vec<i32>> {
    let engine = call.engine()?;
    // All are looked up first: a name may be free again when its turn comes, and what cannot be waited for is told
    // before anything is.
    let ids = containers.iter().map(|container| id_to_wait_for(container, call)).collect::<Result<Vec<_>>>()?;
    let waiting = Cell::new("");
    within(
        &call.context(),
        options.timeout,
        || what_ends(waiting.get()),
        |cx| {
            let mut codes = Vec::new();
            for (id, container) in ids.iter().zip(&containers) {
                waiting.set(container.reference());
                codes.push(engine.wait(cx, id)?);
            }
            Ok(codes)
        },
    )
}

fn id_to_wait_for(container: &Container, call: &Call) -> Result<String> {
    match container.info(call) {
        Ok(info) if info.status == Status::Created => {
            // Nobody waits for it: the engine says why.
            call.engine()?.wait(&call.context(), &info.id).map(|_| info.id.clone())
        }
        Ok(info) => Ok(info.id.clone()),
        // One that was removed at its end may still be known by its id.
        Err(error) if error.is(ErrorKind::NotFound) => {
            call.engine()?.wait(&call.context(), container.reference()).map(|_| container.reference().to_owned())
        }
        Err(error) => Err(error),
    }
}

fn what_ends(reference: &str) -> String {
    format!("container `{reference}`")
}
