//! What runs at the end of a scope and of the script, whatever way it ended.

use super::Session;
use super::binding::{StoredCallback, enter};
use crate::context::Context;
use crate::error::Error;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// What `defer` has put aside: by scope, oldest first; `None` is the script.
#[derive(Default)]
pub struct Deferred(Mutex<HashMap<Option<String>, Vec<StoredCallback>>>);

impl Deferred {
    /// Puts a closure aside until the end of the scope.
    pub fn push(&self, scope: Option<String>, callback: StoredCallback) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(scope).or_default().push(callback);
    }

    fn pop(&self, scope: Option<&str>) -> Option<StoredCallback> {
        let mut deferred = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        deferred.get_mut(&scope.map(str::to_owned))?.pop()
    }
}

impl Session {
    /// Runs what was deferred in a scope (`None`: the script), newest first, then removes what the
    /// scope still owns. It goes on after a failure; gives all of them.
    pub fn clean_up(&self, scope: Option<&str>) -> Vec<Error> {
        let context = Context { scope: scope.map(str::to_owned), ..self.clean_up_context() };
        let mut failures = Vec::new();
        {
            let _entered = enter(context.clone());
            while let Some(callback) = self.deferred.pop(scope) {
                failures.extend(callback.call(Vec::new()).err());
            }
        }
        if let (Some(scope), Some(engine)) = (scope, self.opened_engine()) {
            failures.extend(engine.end_scope(&context, scope).err());
        }
        failures
    }

    /// Tells the person of clean-up that failed, where another error is already on its way.
    pub fn warn_of(&self, failures: &[Error]) {
        for failure in failures {
            self.warn(&format!("clean-up failed: {}", failure.message()));
            if let Some(hint) = failure.hint_text() {
                self.warn(&format!("  hint: {hint}"));
            }
        }
    }
}
