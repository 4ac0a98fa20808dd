//! What ends together: `scope` and `defer`.

use crate::context::Context;
use crate::error::{Error, Result};
use crate::model::Id;
use crate::script::binding::{Call, Callback, api, enter};
use rhai::Dynamic;

/// Calls a closure; what is made inside is removed at its end, newest first, also on an error and on Ctrl-C.
///
/// It owns what `parallel`, `background` and callbacks make inside. `keep(x)` lets one outlive it.
///
/// # Example
/// scope(|| {
///     defer(|| print("second"));
///     print("first");
/// });
///
/// # Errors
/// What the closure throws; else what went wrong while removing.
#[api]
pub fn scope(call: &Call, action: Callback) -> Result<Dynamic> {
    let id = Id::random()?.to_string();
    let result = {
        let _entered = enter(Context { scope: Some(id.clone()), ..call.context() });
        action.call(call, Vec::new())
    };
    let failures = call.session().clean_up(Some(&id));
    match (result, failures.as_slice()) {
        (Ok(value), []) => Ok(value),
        (Ok(_), [only]) => Err(only.clone()),
        (Ok(_), [first, ..]) => {
            let messages: Vec<_> = failures.iter().map(Error::message).collect();
            Err(Error::new(first.kind(), messages.join("; ")).context("several clean-ups failed"))
        }
        (Err(error), failures) => {
            call.session().warn_of(failures);
            Err(error)
        }
    }
}

/// Has a closure called at the end of the innermost scope, or of the script; the last one first.
///
/// # Example
/// let folder = fs::temp_dir();
/// defer(|| print("bye"));
#[api]
pub fn defer(call: &Call, action: Callback) {
    let stored = action.store(call);
    call.session().defer(call.context().scope, Box::new(move || stored.call(Vec::new()).map(drop)));
}
