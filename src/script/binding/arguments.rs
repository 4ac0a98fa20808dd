//! The arguments of one call, taken parameter by parameter.

use super::{FromScript, FunctionDoc, describe, signature};
use crate::error::{Error, Result};
use rhai::Dynamic;
use std::collections::VecDeque;

/// What a script gave, not yet converted.
pub struct Arguments {
    function: &'static FunctionDoc,
    values: VecDeque<Dynamic>,
}

impl Arguments {
    /// The arguments of a call of `function`, without its receiver.
    pub fn new(function: &'static FunctionDoc, values: VecDeque<Dynamic>) -> Self {
        Self { function, values }
    }

    /// Takes the value for a parameter. An optional one is skipped when the next value is not meant for it.
    pub fn take<T: FromScript>(&mut self, parameter: &str) -> Result<T> {
        let path = || self.function.path();
        if self.values.front().is_some_and(|value| !T::OPTIONAL || T::accepts(value))
            && let Some(value) = self.values.pop_front()
        {
            return T::from_script(value)
                .map_err(|refusal| refusal.into_error(&path(), &format!("argument `{parameter}`")));
        }
        T::absent().ok_or_else(|| {
            let error = Error::invalid(format!("argument `{parameter}` is missing")).context(path());
            error.hint(usage(self.function))
        })
    }

    /// Fails when a value was not taken.
    pub fn finish(self) -> Result<()> {
        let Some(value) = self.values.front() else { return Ok(()) };
        let error = Error::invalid(format!("does not take {}", describe(value))).context(self.function.path());
        Err(error.hint(usage(self.function)))
    }
}

/// A copy of the receiver of a call: handles are cheap clones.
pub fn receiver<T: Clone + Send + Sync + 'static>(this: &Dynamic) -> Result<T> {
    let value = this.read_lock::<T>().map(|value| value.clone());
    value.ok_or_else(|| Error::invalid(format!("cannot be called on {}", describe(this))))
}

fn usage(function: &FunctionDoc) -> String {
    format!("it is called as `{}`", signature(function))
}
