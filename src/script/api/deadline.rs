//! What has a `timeout` of its own says so when the time is up.

use crate::context::{CancelReason, Context};
use crate::error::{Error, ErrorKind, Result};
use crate::model::duration;
use std::time::Duration;

/// Does `work` within the time; `what` it is, for the message: `` `sleep 100` ``.
///
/// # Errors
/// `timeout` when the time is up, or what `work` fails with. The caller's own deadline and Ctrl-C pass unchanged.
pub fn within<T>(
    outer: &Context,
    timeout: Option<Duration>,
    what: impl FnOnce() -> String,
    work: impl FnOnce(&Context) -> Result<T>,
) -> Result<T> {
    let Some(timeout) = timeout else { return work(outer) };
    let cx = outer.with_timeout(Some(timeout));
    work(&cx).map_err(|error| {
        let ours = cx.cancel.reason() == Some(CancelReason::Timeout) && outer.cancel.reason().is_none();
        if ours && error.is(ErrorKind::Timeout) && error.payload().is_none() {
            let after = duration::format(timeout);
            return Error::new(ErrorKind::Timeout, format!("{} did not end within {after}", what()));
        }
        error
    })
}
