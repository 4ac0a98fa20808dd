//! Closures that scripts give us, called now, later, or on another thread.
#![allow(deprecated)] // Rhai marks `store_data` volatile that way; its version is pinned

use super::{Call, FromScript, IntoScript, Refusal, error_from_thrown};
use crate::error::{Error, ErrorKind, Result};
use crate::script::Session;
use rhai::{Array, Dynamic, FnPtr, Map, NativeCallContext, NativeCallContextStore};
use std::sync::Arc;

/// Parameters that are looked for when a closure is called with a wrong number of arguments.
const MOST_PARAMETERS: usize = 16;

/// A closure or function pointer of the script.
#[derive(Clone, Debug)]
pub struct Callback(pub FnPtr);

impl Callback {
    /// Calls it with `this` bound to the receiver of the call it was given to. A closure may take
    /// fewer parameters than there are `arguments`: none of them.
    pub fn call(&self, call: &Call<'_>, arguments: Vec<Dynamic>) -> Result<Dynamic> {
        let mut this = call.this().cloned();
        invoke(&self.0, call.native(), this.as_mut(), arguments)
    }

    /// Calls it; whether to go on: anything but `false` means yes.
    pub fn call_until_false(&self, call: &Call<'_>, arguments: Vec<Dynamic>) -> Result<bool> {
        Ok(self.call(call, arguments)?.as_bool().unwrap_or(true))
    }

    /// Keeps it with all it needs, so that it can be called after this call has returned.
    pub fn store(&self, call: &Call<'_>) -> StoredCallback {
        StoredCallback {
            callback: self.0.clone(),
            context: call.native().store_data(),
            this: call.this().cloned(),
            session: call.session().clone(),
        }
    }

    /// The same closure with copies of what it captured, for another thread. Rhai refuses two
    /// threads that touch one captured value, so results come back as return values only.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self(detached_fn(&self.0))
    }
}

/// A closure that is called after the function it was given to has returned: `defer`, `background`.
///
/// A closure is only a name in Rhai; the context it was made in belongs to it.
pub struct StoredCallback {
    callback: FnPtr,
    context: NativeCallContextStore,
    this: Option<Dynamic>,
    session: Arc<Session>,
}

impl StoredCallback {
    /// Calls it.
    pub fn call(&self, arguments: Vec<Dynamic>) -> Result<Dynamic> {
        let engine = self.session.rhai()?;
        let context = self.context.create_context(&engine);
        let mut this = self.this.clone();
        invoke(&self.callback, &context, this.as_mut(), arguments)
    }

    /// The same with copies of what it captured, for another thread.
    #[must_use]
    pub fn detached(self) -> Self {
        Self { callback: detached_fn(&self.callback), this: self.this.as_ref().map(detached), ..self }
    }
}

fn invoke(
    callback: &FnPtr,
    context: &NativeCallContext<'_>,
    this: Option<&mut Dynamic>,
    arguments: Vec<Dynamic>,
) -> Result<Dynamic> {
    // `|| …` where a value is offered: the script is not interested in it.
    let arguments = if takes_nothing(callback, context) { Vec::new() } else { arguments };
    check_arity(callback, context, arguments.len())?;
    callback.call_raw(context, this, arguments).map(Dynamic::flatten).map_err(error_from_thrown)
}

/// Whether it is a closure without parameters of its own, captured values aside.
fn takes_nothing(callback: &FnPtr, context: &NativeCallContext<'_>) -> bool {
    let captured = callback.curry().len();
    context.iter_namespaces().any(|library| library.get_script_fn(callback.fn_name(), captured).is_some())
}

/// Says what is wrong in terms of the script: Rhai names the closure by a number it has made up.
fn check_arity(callback: &FnPtr, context: &NativeCallContext<'_>, given: usize) -> Result<()> {
    if !callback.is_anonymous() {
        return Ok(());
    }
    let captured = callback.curry().len();
    let has = |count: &usize| {
        context.iter_namespaces().any(|library| library.get_script_fn(callback.fn_name(), captured + count).is_some())
    };
    match (0..=MOST_PARAMETERS).find(has) {
        Some(takes) if takes != given => {
            let plural = if takes == 1 { "" } else { "s" };
            let message = format!("the closure takes {takes} argument{plural}, it is called with {given}");
            Err(Error::new(ErrorKind::Script, message))
        }
        _ => Ok(()),
    }
}

/// A deep copy in which nothing is shared with another thread.
pub fn detached(value: &Dynamic) -> Dynamic {
    let value = value.flatten_clone();
    if value.is_array() {
        let items: Array = value.cast::<Array>().iter().map(detached).collect();
        items.into()
    } else if value.is_map() {
        let fields: Map = value.cast::<Map>().into_iter().map(|(key, value)| (key, detached(&value))).collect();
        fields.into()
    } else if value.is_fnptr() {
        detached_fn(&value.cast::<FnPtr>()).into()
    } else {
        value
    }
}

fn detached_fn(callback: &FnPtr) -> FnPtr {
    let mut copy = callback.clone();
    let captured: Vec<Dynamic> = callback.iter_curry().map(detached).collect();
    copy.set_curry(captured);
    copy
}

impl FromScript for Callback {
    fn type_name() -> String {
        "function".to_owned()
    }
    fn accepts(value: &Dynamic) -> bool {
        value.is_fnptr()
    }
    fn from_script(value: Dynamic) -> Result<Self, Refusal> {
        if !value.is_fnptr() {
            return Err(Refusal::wrong_type("a function such as `|| …`", &value));
        }
        Ok(Self(value.cast::<FnPtr>()))
    }
}

impl IntoScript for Callback {
    fn type_name() -> String {
        <Self as FromScript>::type_name()
    }
    fn into_script(self) -> Result<Dynamic> {
        Ok(self.0.into())
    }
}
