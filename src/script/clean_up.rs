//! What runs at the end of a scope and of the script, whatever way it ended.

use super::Session;
use super::binding::enter;
use crate::context::Context;
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Something to be done at the end: a closure of the script, a folder to remove, a thread to end.
pub type CleanUp = Box<dyn FnOnce() -> Result<()> + Send>;

/// What is to be done at the end: by scope, oldest first; `None` is the script.
#[derive(Default)]
pub struct Deferred(Mutex<HashMap<Option<String>, Vec<CleanUp>>>);

impl Session {
    /// Has something done at the end of a scope (`None`: the script).
    pub fn defer(&self, scope: Option<String>, clean_up: CleanUp) {
        self.deferred.0.lock().unwrap_or_else(PoisonError::into_inner).entry(scope).or_default().push(clean_up);
    }

    fn next_deferred(&self, scope: Option<&str>) -> Option<CleanUp> {
        let mut deferred = self.deferred.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = scope.map(str::to_owned);
        let next = deferred.get_mut(&key).and_then(Vec::pop);
        if next.is_none() {
            deferred.remove(&key);
        }
        next
    }

    /// Does what was deferred in a scope (`None`: the script), newest first, then removes what the
    /// scope still owns. It goes on after a failure; gives all of them.
    pub fn clean_up(&self, scope: Option<&str>) -> Vec<Error> {
        let context = Context { scope: scope.map(str::to_owned), ..self.clean_up_context() };
        let mut failures = Vec::new();
        {
            let _entered = enter(context.clone());
            while let Some(clean_up) = self.next_deferred(scope) {
                failures.extend(clean_up().err());
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
