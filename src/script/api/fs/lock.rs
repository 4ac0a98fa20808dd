//! `fs::lock`: one at a time.

use crate::error::{Error, ErrorKind, IoContext, Result};
use crate::script::binding::{Call, Callback, Options, api};
use crate::sys::lock::{FileLock, LockMode};
use rhai::Dynamic;
use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

/// Options of `fs::lock`.
#[derive(Default, Options)]
pub struct LockOptions {
    /// How long to wait for whoever has it; not at all when nothing is said.
    pub wait: Option<Duration>,
}

/// Calls a closure while nobody else, in this process or another, has the lock on a file; gives what it gives. The file is
/// made when there is none, and stays. The lock ends with the process, however that ends.
///
/// # Example
/// let file = fs::temp_dir() + "/lock";
/// assert_eq(fs::lock(file, || 42), 42);
///
/// # Errors
/// `busy` when somebody has it and goes on having it for as long as is waited; what the closure throws.
#[api(module = "fs")]
pub fn lock(call: &Call, path: PathBuf, options: LockOptions, action: Callback) -> Result<Dynamic> {
    let doing = || format!("cannot lock `{}`", path.display());
    let open = File::options().create(true).truncate(false).write(true).open(&path).doing(doing)?;
    let busy = || Error::new(ErrorKind::Busy, format!("somebody else has the lock on `{}`", path.display()));
    let _held = match options.wait {
        None => FileLock::try_lock(open, LockMode::Exclusive).doing(doing)?.map_err(|_| busy())?,
        Some(wait) => {
            let cx = call.context();
            let cancel = cx.cancel.child_with_timeout(wait);
            FileLock::lock(open, LockMode::Exclusive, &cancel).map_err(|error| {
                // Not when the script itself has no time left.
                if error.is(ErrorKind::Timeout) && cx.check().is_ok() { busy() } else { error }
            })?
        }
    };
    action.call(call, Vec::new())
}
